//! Charging once it is known what a request has cost.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    plan::Which,
    shared::{Receipt, Shared},
};

/// What a request was charged, in its extensions: to charge more when it is known what it cost,
/// bytes or tokens, or to give its charge back.
///
/// It is there with [`LimitLayer::charge_later`](crate::LimitLayer::charge_later), and works also
/// after the answer has left: from its body's end, or a task.
///
/// ```
/// use buttress_limit::{Charge, Key, LimitLayer, Rule, minutes, requests};
/// use http::{Request, Response};
/// use tower::{Layer, Service, ServiceExt, service_fn};
/// # use std::convert::Infallible;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tokens = Rule::new("tokens", requests(1_000).per(minutes(1)))?;
/// let complete = service_fn(|request: Request<()>| async move {
///     let used = 1_500;
///     if let Some(charge) = request.extensions().get::<Charge>() {
///         // One was charged when it came in.
///         charge.charge(used - 1);
///     }
///     Ok::<_, Infallible>(Response::new(()))
/// });
/// let mut service =
///     LimitLayer::new(Key::everyone(), [tokens])?.charge_later().layer(complete);
///
/// assert_eq!(service.ready().await?.call(Request::new(())).await?.status(), 200);
/// let next = service.ready().await?.call(Request::new(())).await?;
/// assert_eq!(next.headers()["retry-after"], "31");
/// # Ok(())
/// # }
/// ```
pub struct Charge {
    shared: Arc<Shared>,
    receipt: Receipt,
    /// When it was charged last: what came back since then is not given back once more.
    last: AtomicU64,
}

impl Charge {
    pub(crate) const fn new(shared: Arc<Shared>, receipt: Receipt) -> Self {
        Self { last: AtomicU64::new(receipt.at), shared, receipt }
    }

    /// Charges so many units more, for each rule as many as its cost multiplies. It never refuses;
    /// what is owed ends at sixteen bursts, that of a window at its quota.
    pub fn charge(&self, units: u64) {
        let at = self.shared.force(&self.receipt, units);
        self.last.fetch_max(at, Relaxed);
    }

    /// Gives back so many units, never more than are owed, nor what has come back by itself since
    /// the last charge.
    pub fn refund(&self, units: u64) {
        let receipt = Receipt { cost: units, at: self.last.load(Relaxed), ..self.receipt };
        self.shared.refund(&receipt, Which::All);
    }
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        let last = AtomicU64::new(self.last.load(Relaxed));
        Self { shared: Arc::clone(&self.shared), receipt: self.receipt, last }
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Charge").field("cost", &self.receipt.cost).finish_non_exhaustive()
    }
}
