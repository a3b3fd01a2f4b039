use std::fmt;

use http::Request;

use crate::check;
use crate::end::End;
use crate::probe::ProbeBody;
use crate::traits::{Sound, assert_auto_traits};
use crate::{Finding, Law, Subject};

pub(crate) type Count = Box<dyn Fn() -> u64>;

/// The laws, and the layer that they are checked of.
///
/// [`check`](Self::check) checks all that need no further word, and those for which a word was
/// given: [`counts_calls`](Self::counts_calls), [`counts_ends`](Self::counts_ends),
/// [`gauges_in_flight`](Self::gauges_in_flight), [`passes_time`](Self::passes_time) and, with the
/// feature `allocations`, `allocates`. Everything runs in the calling thread, with no runtime; a
/// layer with a timer is checked inside its runtime's context.
///
/// ```
/// use buttress_conformance::Laws;
/// use tower_layer::Identity;
///
/// Laws::of(Identity::new()).check();
/// ```
#[must_use = "nothing is checked before `check`"]
pub struct Laws<L> {
    pub(crate) layer: L,
    pub(crate) request: Box<dyn Fn() -> Request<ProbeBody>>,
    pub(crate) calls: Option<Count>,
    pub(crate) ends: Option<(Vec<End>, Count)>,
    pub(crate) in_flight: Option<Count>,
    pub(crate) pass_time: Option<Box<dyn Fn()>>,
    #[cfg(feature = "allocations")]
    pub(crate) allocations: Option<u64>,
    chosen: Vec<Law>,
}

impl<L> Laws<L> {
    /// The laws, to be checked of this layer with `GET /` and an empty body.
    pub fn of(layer: L) -> Self {
        Self {
            layer,
            request: Box::new(|| Request::new(ProbeBody::new())),
            calls: None,
            ends: None,
            in_flight: None,
            pass_time: None,
            #[cfg(feature = "allocations")]
            allocations: None,
            chosen: Law::ALL.to_vec(),
        }
    }

    /// Makes the requests, some 300 and 1,000 more with [`counts_calls`](Self::counts_calls). The
    /// layer must pass each of them on to the inner service: what it answers by itself shows of no
    /// law whether it is kept, and is reported.
    ///
    /// ```
    /// # use buttress_conformance::{Laws, ProbeBody};
    /// # use tower_layer::Identity;
    /// use http::Request;
    ///
    /// Laws::of(Identity::new())
    ///     .request(|| {
    ///         let mut request = Request::new(ProbeBody::new().data("{}").exact());
    ///         *request.method_mut() = http::Method::POST;
    ///         request
    ///     })
    ///     .check();
    /// ```
    pub fn request(mut self, request: impl Fn() -> Request<ProbeBody> + 'static) -> Self {
        self.request = Box::new(request);
        self
    }

    /// Leaves a law out that the layer departs from by design.
    ///
    /// A layer that changes a body's bytes departs from [`Law::Frames`] and [`Law::Sizes`], and
    /// still has to keep [`Law::HonestSize`]; one that turns errors into responses departs from
    /// [`Law::Error`].
    ///
    /// ```
    /// # use buttress_conformance::{Law, Laws};
    /// # use tower_layer::Identity;
    /// Laws::of(Identity::new()).except(Law::Frames).except(Law::Sizes).check();
    /// ```
    pub fn except(mut self, law: Law) -> Self {
        self.chosen.retain(|chosen| *chosen != law);
        self
    }

    /// Checks this law alone. If it cannot be, because another law that it depends on is broken,
    /// then that one is reported.
    ///
    /// ```
    /// # use buttress_conformance::{Law, Laws};
    /// # use tower_layer::Identity;
    /// Laws::of(Identity::new()).only(Law::Readiness).check();
    /// ```
    pub fn only(mut self, law: Law) -> Self {
        self.chosen = vec![law];
        self
    }

    /// How many calls the layer's shared state has seen, for [`Law::SharedState`]: after a thousand
    /// calls to a thousand services of one layer it must be a thousand more.
    ///
    /// ```should_panic
    /// # use buttress_conformance::Laws;
    /// # use tower_layer::Identity;
    /// // A layer that counts nothing.
    /// Laws::of(Identity::new()).counts_calls(|| 0).check();
    /// ```
    pub fn counts_calls(mut self, calls: impl Fn() -> u64 + 'static) -> Self {
        self.calls = Some(Box::new(calls));
        self
    }

    /// How often the layer's hook at a call's end has fired, for [`Law::OneEnd`]: once for each of
    /// these ways to end, and as soon as the end is seen. [`End::ALL`] is the usual word;
    /// [`End::BODY`] is for a layer that looks at bodies alone.
    ///
    /// ```should_panic
    /// # use buttress_conformance::{End, Laws};
    /// # use tower_layer::Identity;
    /// // A layer with no hook.
    /// Laws::of(Identity::new()).counts_ends(End::ALL, || 0).check();
    /// ```
    pub fn counts_ends(
        mut self,
        ways: impl IntoIterator<Item = End>,
        ends: impl Fn() -> u64 + 'static,
    ) -> Self {
        self.ends = Some((ways.into_iter().collect(), Box::new(ends)));
        self
    }

    /// How many calls are in flight by the layer's own account, for [`Law::InFlight`].
    ///
    /// ```should_panic
    /// # use buttress_conformance::Laws;
    /// # use tower_layer::Identity;
    /// // A layer that takes no account.
    /// Laws::of(Identity::new()).gauges_in_flight(|| 0).check();
    /// ```
    pub fn gauges_in_flight(mut self, in_flight: impl Fn() -> u64 + 'static) -> Self {
        self.in_flight = Some(Box::new(in_flight));
        self
    }

    /// Lets so much time pass that the layer's timer is over, for [`Law::ReadyAnswer`]. With tokio,
    /// pause the time and let `Runtime::block_on` advance it (a `Handle`'s does not turn timers):
    ///
    /// ```
    /// # use buttress_conformance::Laws;
    /// # use tower_layer::Identity;
    /// use std::{rc::Rc, time::Duration};
    ///
    /// # fn main() -> Result<(), std::io::Error> {
    /// let runtime = tokio::runtime::Builder::new_current_thread()
    ///     .enable_time()
    ///     .start_paused(true)
    ///     .build()?;
    /// let runtime = Rc::new(runtime);
    /// let clock = Rc::clone(&runtime);
    /// let _inside = runtime.enter();
    /// Laws::of(Identity::new())
    ///     .passes_time(move || clock.block_on(tokio::time::advance(Duration::from_secs(60))))
    ///     .check();
    /// # Ok(())
    /// # }
    /// ```
    pub fn passes_time(mut self, pass_time: impl Fn() + 'static) -> Self {
        self.pass_time = Some(Box::new(pass_time));
        self
    }

    /// How many allocations the layer adds to a call that it passes through, for
    /// [`Law::Allocations`]: exactly so many, counted from `poll_ready` to the drop of the body,
    /// the bare service taken off, after a few calls to warm up. Fewer are a finding also, so that
    /// what was gained is kept.
    ///
    /// ```
    /// # use buttress_conformance::Laws;
    /// # use tower_layer::Identity;
    /// Laws::of(Identity::new()).allocates(0).check();
    /// ```
    #[cfg(feature = "allocations")]
    pub fn allocates(mut self, allocations: u64) -> Self {
        self.allocations = Some(allocations);
        self
    }
}

impl<L: Subject> Laws<L> {
    /// Checks that the layer keeps the laws, and that it, its service, future and body have the
    /// auto traits that they need ([`assert_auto_traits`], when this is compiled).
    ///
    /// # Panics
    /// If the layer breaks a law: the message names each that it breaks, what was seen, and what to
    /// do.
    #[track_caller]
    #[expect(clippy::panic, reason = "an assertion is meant to panic")]
    pub fn check(&self)
    where
        L: Sound,
    {
        assert_auto_traits(&self.layer);
        let findings = self.findings();
        if !findings.is_empty() {
            let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
            panic!("{}", findings.join("\n"));
        }
    }

    /// The laws that the layer breaks: what [`check`](Self::check) would say, for a layer that is
    /// to be described rather than passed, and asking for no auto trait.
    ///
    /// ```
    /// use buttress_conformance::Laws;
    /// use tower_layer::Identity;
    ///
    /// assert!(Laws::of(Identity::new()).findings().is_empty());
    /// ```
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        if let Err(finding) = check::passes_on(self)
            && finding.law() == Law::Request
        {
            return vec![finding];
        }
        let mut findings = Vec::<Finding>::new();
        for law in &self.chosen {
            if let Err(finding) = check::law(*law, self)
                && findings.iter().all(|known| known.law() != finding.law())
            {
                findings.push(if self.chosen.contains(&finding.law()) {
                    finding
                } else {
                    finding.in_the_way_of(*law)
                });
            }
        }
        findings
    }
}

impl<L: fmt::Debug> fmt::Debug for Laws<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laws")
            .field("layer", &self.layer)
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}
