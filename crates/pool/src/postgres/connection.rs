//! A connection that is out.

use std::{fmt, ops::Deref, sync::Arc};

use deadpool_postgres::ClientWrapper;

use super::{driver::PgDriver, session::Session};
use crate::{counts::Closed, leased::Leased};

/// A connection of a [`PgPool`](super::PgPool), which goes back when this is dropped.
///
/// Its statements are those of [`Session`].
pub struct PgConnection(Leased<Arc<PgDriver>>);

impl PgConnection {
    pub(super) const fn new(leased: Leased<Arc<PgDriver>>) -> Self {
        Self(leased)
    }

    /// The driver's own client, for what needs one, such as migrations or `COPY`. What is done with
    /// it has the server's statement timeout alone, and is neither counted nor logged. Nobody
    /// knows what it leaves behind, so the connection is thrown away when it comes back.
    #[must_use]
    pub fn client_mut(&mut self) -> &mut ClientWrapper {
        self.0.spoil(Closed::Changed);
        self.0.client_mut()
    }
}

impl Deref for PgConnection {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl fmt::Debug for PgConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgConnection").finish_non_exhaustive()
    }
}
