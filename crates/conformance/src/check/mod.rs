//! Each law as a function from a layer to what it breaks.

mod account;
mod body;
mod case;
mod passing;
mod readiness;
mod release;
mod timer;
mod waking;

pub(crate) use passing::passes_on;

use crate::finding::Verdict;
use crate::{Law, Laws, Subject};

/// Whether the layer keeps the law; `Ok` also where a word that the law needs was not given.
pub(crate) fn law<L: Subject>(law: Law, laws: &Laws<L>) -> Verdict {
    match law {
        Law::Readiness => readiness::polled_is_called(laws),
        Law::DoubleReadiness => readiness::ready_stays(laws),
        Law::CloneReadiness => readiness::clone_is_unready(laws),
        Law::ReadyError => readiness::error_is_the_inners(laws),
        Law::Waker => waking::woken(laws),
        Law::SelfWake => waking::not_by_itself(laws),
        Law::Release => release::everything(laws),
        Law::Error => passing::error(laws),
        Law::ErrorType => passing::error_type::<L>(),
        Law::Request => passing::request(laws),
        Law::RequestBody => passing::request_body(laws),
        Law::Response => passing::response(laws),
        Law::Frames => body::frames(laws),
        Law::Sizes => body::sizes(laws),
        Law::HonestSize => body::honest_size(laws),
        Law::AfterEnd => body::after_end(laws),
        Law::SharedState => account::shared_state(laws),
        Law::OneEnd => account::one_end(laws),
        Law::InFlight => account::in_flight(laws),
        Law::ReadyAnswer => timer::ready_answer(laws),
        #[cfg(feature = "allocations")]
        Law::Allocations => crate::allocations::pass_through(laws),
        #[cfg(not(feature = "allocations"))]
        Law::Allocations => Ok(()),
    }
}
