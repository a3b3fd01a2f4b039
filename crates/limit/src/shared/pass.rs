//! A request that goes in, and what is done with its answer.

use std::sync::Arc;

#[cfg(feature = "redis")]
use http::Request;
use http::Response;

use super::Shared;
#[cfg(feature = "redis")]
use crate::charge::Charge;
use crate::{
    key::Keys,
    meter::Nanos,
    plan::{Standing, Which, with_claims},
};

/// A request that goes in, and what is to be done with its answer.
#[derive(Debug, Default)]
pub(crate) enum Pass {
    #[default]
    Nothing,
    /// To say where its client stands.
    Headers { shared: Arc<Shared>, plan: usize, standing: Option<Standing> },
    /// To give back what it was charged, if it is no failure; or to say where its client stands
    /// with every rule.
    Charged { shared: Arc<Shared>, receipt: Receipt, standing: Option<Standing> },
}

/// What a request was charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) keys: Keys,
    pub(crate) plan: usize,
    pub(crate) cost: u64,
    pub(crate) at: Nanos,
    pub(crate) charged: u16,
}

impl Pass {
    /// Gives the request its charge, where its verdict took time.
    #[cfg(feature = "redis")]
    pub(crate) fn note<B>(&self, request: Option<&mut Request<B>>) {
        if let (Self::Charged { shared, receipt, .. }, Some(request)) = (self, request)
            && shared.charge_later
        {
            request.extensions_mut().insert(Charge::new(Arc::clone(shared), *receipt));
        }
    }

    /// The inner's answer is there.
    #[inline]
    pub(crate) fn finish<B>(&mut self, response: &mut Response<B>) {
        match std::mem::take(self) {
            Self::Nothing => {}
            Self::Headers { shared, plan, standing } => {
                if let Some((_, plan)) = shared.plans.get(plan) {
                    shared.headers.write(plan, standing.as_slice(), response.headers_mut());
                }
            }
            Self::Charged { shared, receipt, standing } => {
                shared.finish(&receipt, standing, response);
            }
        }
    }
}

impl Shared {
    fn finish<B>(&self, receipt: &Receipt, standing: Option<Standing>, response: &mut Response<B>) {
        let Some((_, plan)) = self.plans.get(receipt.plan) else { return };
        let gives_back = plan.has_failures_only && !self.is_failure(response);
        if gives_back {
            self.refund(receipt, Which::FailuresOnly);
            plan.count_refund();
        }
        let headers = response.headers_mut();
        if !gives_back && !self.headers.all {
            return self.headers.write(plan, standing.as_slice(), headers);
        }
        if !self.headers.any() {
            return;
        }
        let table = self.store.table();
        let now = table.now();
        with_claims!(plan, |N| {
            let mut claims = plan.claims::<N>(&receipt.keys, 0);
            claims.peek(table, now);
            let standings = self.standings(&claims, claims.tightest(now), now);
            self.headers.write(plan, &standings, headers);
        });
    }

    #[inline]
    fn is_failure<B>(&self, response: &Response<B>) -> bool {
        if let Some(failure) = &self.failure {
            return failure(response.status(), response.headers());
        }
        let status = response.status();
        let grpc = response.headers().get("grpc-status").is_some_and(|status| status != "0");
        status.is_client_error() || status.is_server_error() || grpc
    }
}
