use std::error::Error;

use buttress_core::problem::Problem;

use crate::Category;

/// An application's error that knows what its client is told.
///
/// It turns into a [`Failure`](crate::Failure) by `?`, with itself as the cause, so that a handler returns
/// `Result<_, Failure>` and the log has the whole chain:
///
/// ```
/// use buttress_problem::{Failure, IntoProblem, Problem};
/// use http::StatusCode;
///
/// #[derive(Debug, thiserror::Error)]
/// enum ShopError {
///     #[error("no book {0}")]
///     NoBook(u64),
///     #[error("cannot read the shelf")]
///     Shelf(#[from] std::io::Error),
/// }
///
/// impl IntoProblem for ShopError {
///     fn to_problem(&self) -> Problem {
///         match self {
///             Self::NoBook(_) => Problem::new(StatusCode::NOT_FOUND).with_detail(self.to_string()),
///             Self::Shelf(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR),
///         }
///     }
/// }
///
/// fn find(id: u64) -> Result<String, ShopError> {
///     if id == 0 { Err(ShopError::NoBook(id)) } else { Ok(std::fs::read_to_string("/none")?) }
/// }
///
/// fn handler(id: u64) -> Result<String, Failure> {
///     Ok(find(id)?)
/// }
///
/// assert_eq!(handler(0).unwrap_err().status(), 404);
/// assert_eq!(handler(1).unwrap_err().status(), 500);
/// ```
pub trait IntoProblem: Error + Send + Sync + 'static {
    /// What the client is told. Of a problem of 500 and up it is told the status alone, unless the
    /// layer is set to development.
    fn to_problem(&self) -> Problem;

    /// What kind of failure it is, where the status does not say: 503 because of a database is
    /// [`Category::Upstream`].
    fn category(&self) -> Option<Category> {
        None
    }
}
