use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};

use buttress::retry::{Repeat, RetryLayer};
use http::{Request, Response};
use tower::retry::{
    self, Policy,
    budget::{Budget, TpsBudget},
};
use tower_layer::Layer;
use tower_resilience_retry::{RetryBudgetBuilder, RetryLayer as TowerResilience};

use super::Headers;
use crate::{
    Case,
    case::bare,
    drive::{Answer, Bare, Nothing, serve},
};

pub(super) fn cases() -> Vec<Case> {
    vec![kept(), sent_once()]
}

/// The first attempt is good; until then the request was kept for another one. Ours pays into its
/// budget, and so does a peer that has one.
fn kept() -> Case {
    Case::new("retry, first attempt, 8 headers kept", Headers::Eight.bare(), || {
        Ok(serve(RetryLayer::http().layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
    .peer("tower, no budget", || {
        let layer = retry::RetryLayer::new(ServerErrors::default());
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
    .peer("tower, its budget", || {
        let policy = ServerErrors { budget: Some(Arc::default()) };
        let layer = retry::RetryLayer::new(policy);
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
    .peer("tower-resilience, its budget", || {
        let layer =
            tower_resilience(3).budget(RetryBudgetBuilder::new().token_bucket().build()?).build();
        Ok(serve(layer.layer(Bare(Answer::Empty)), Headers::Eight.request()))
    })
    .asked(1_200, 2)
}

/// The request says so itself. Of tower-resilience it is the layer, and it keeps the request all
/// the same.
fn sent_once() -> Case {
    let bare = bare("a request with 8 headers that is sent once", || {
        Ok(serve(Bare(Answer::Empty), never()))
    });
    Case::new("retry, sent once, 8 headers", bare, || {
        Ok(serve(RetryLayer::http().layer(Bare(Answer::Empty)), never()))
    })
    .peer("tower, no budget", || {
        let layer = retry::RetryLayer::new(ServerErrors::default());
        Ok(serve(layer.layer(Bare(Answer::Empty)), never()))
    })
    .peer("tower-resilience, one attempt", || {
        Ok(serve(tower_resilience(1).build().layer(Bare(Answer::Empty)), never()))
    })
    .asked(60, 0)
}

fn never() -> Request<Nothing> {
    let mut request = Headers::Eight.request();
    request.extensions_mut().insert(Repeat::Never);
    request
}

fn tower_resilience(
    attempts: usize,
) -> tower_resilience_retry::RetryConfigBuilder<Request<Nothing>, Response<Nothing>, Infallible> {
    TowerResilience::builder()
        .max_attempts(attempts)
        .retry_on_response(|response: &Response<Nothing>| response.status().is_server_error())
}

/// Without a wait between attempts; there is no second one in these cases.
#[derive(Clone, Debug, Default)]
struct ServerErrors {
    budget: Option<Arc<TpsBudget>>,
}

impl<B> Policy<Request<Nothing>, Response<B>, Infallible> for ServerErrors {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Nothing>,
        result: &mut Result<Response<B>, Infallible>,
    ) -> Option<Ready<()>> {
        let failed = result.as_ref().is_ok_and(|response| response.status().is_server_error());
        let again = match &self.budget {
            Some(budget) if failed => budget.withdraw(),
            Some(budget) => {
                budget.deposit();
                false
            }
            None => failed,
        };
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Nothing>) -> Option<Request<Nothing>> {
        let is_kept = request.extensions().get::<Repeat>() != Some(&Repeat::Never);
        is_kept.then(|| request.clone())
    }
}
