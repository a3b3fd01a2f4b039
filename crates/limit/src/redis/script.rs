//! What the script is asked, and what its answer says.

use redis::Cmd;

use super::counting::{Counting, DEEPEST, Owed, Stands};
use crate::{
    key::{Hashed, Keys},
    memory::Claim,
    meter::{Meter, Nanos},
    plan::{Claims, Plan, Which, with_claims},
};

pub(super) const SCRIPT: &str = include_str!("decide.lua");

/// Lua's numbers are whole up to here.
pub(super) const WHOLE: u128 = 1 << 53;

/// For each key.
const ARGUMENTS: usize = 7;

/// What is done with the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Check,
    Force,
    Refund,
    /// As `Force`, with the cost as the count counts.
    Owe,
    /// No counts any more.
    Forget,
}

/// A script's call without its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    mode: Mode,
    /// In microseconds; 0 for the server's own time.
    now: u64,
    /// How long ago a charge was that is given back.
    ago: Nanos,
    times: u32,
    keys: Vec<String>,
    arguments: Vec<String>,
}

/// Of which claims of a request a call is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) keys: &'a Keys,
    pub(crate) cost: u64,
    pub(crate) which: Which,
    /// Bit by bit.
    pub(crate) charged: u16,
}

impl<'a> Of<'a> {
    /// All that a request of this cost is asked for.
    pub(super) const fn all(plan: &'a Plan, keys: &'a Keys, cost: u64) -> Self {
        Self { plan, keys, cost, which: Which::All, charged: u16::MAX }
    }
}

impl Call {
    pub(crate) const fn empty(mode: Mode) -> Self {
        Self { mode, now: 0, ago: 0, times: 1, keys: Vec::new(), arguments: Vec::new() }
    }

    /// Where Redis knows nothing of a count, it begins with what `base` says of its claim.
    pub(crate) fn new(
        prefix: &str,
        mode: Mode,
        of: Of<'_>,
        base: impl Fn(&Claimed<'_>) -> Owed,
    ) -> Self {
        let mut call = Self::empty(mode);
        with_claims!(of.plan, |N| {
            let claims = of.plan.claims::<N>(of.keys, of.cost);
            for (index, claimed) in claimed(prefix, of.plan, of.keys, &claims).enumerate() {
                let rule = of.plan.rules.get(usize::from(claimed.claim.owner));
                let is_meant =
                    of.which == Which::All || rule.is_some_and(|bound| bound.rule.failures_only);
                if is_meant && of.charged & (1 << index) != 0 {
                    // What can never pass stays so, in numbers that Lua knows.
                    let cost = claimed.claim.cost.min(claimed.claim.meter.limit() * DEEPEST);
                    let base = base(&claimed);
                    call.push(claimed.key(), claimed.claim.meter, cost, claimed.claim.shadow, base);
                }
            }
        });
        call
    }

    pub(super) fn push(&mut self, key: String, meter: &Meter, cost: u64, shadow: bool, base: Owed) {
        let counting = Counting::of(meter);
        self.keys.push(key);
        self.arguments.extend([
            counting.kind.to_owned(),
            counting.one.to_string(),
            counting.two.to_string(),
            meter.limit().to_string(),
            cost.to_string(),
            u8::from(shadow).to_string(),
            format!("{} {}", base.much, base.left),
        ]);
    }

    /// What gives back all but one of the times that it was charged, with this answer.
    pub(super) fn unused(&self, answer: &[i64]) -> Option<Self> {
        let (times, answers) = answer.split_first()?;
        let times = u32::try_from(*times).ok()?.min(self.times).checked_sub(1)?;
        let mut back = Self::empty(Mode::Refund).times(times);
        let arguments = self.arguments.chunks_exact(ARGUMENTS);
        for ((key, arguments), answer) in self.keys.iter().zip(arguments).zip(answers.chunks(4)) {
            if answer.first() == Some(&1) {
                back.keys.push(key.clone());
                back.arguments.extend_from_slice(arguments);
            }
        }
        (times > 0 && !back.is_empty()).then_some(back)
    }

    /// How many times the costs are asked for.
    pub(super) const fn most(&self) -> u32 {
        self.times
    }

    /// So many times the costs.
    pub(super) const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// So much longer ago.
    pub(super) const fn ago(mut self, nanos: Nanos) -> Self {
        self.ago = self.ago.saturating_add(nanos);
        self
    }

    /// At this time, not the server's.
    #[cfg(test)]
    pub(super) const fn at(mut self, micros: u64) -> Self {
        self.now = micros;
        self
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// By the script's digest, or with the whole of it.
    pub(super) fn command(&self, by: &str, script: &str) -> Cmd {
        let mode = match self.mode {
            Mode::Check => "check",
            Mode::Force => "force",
            Mode::Refund => "refund",
            Mode::Owe => "owe",
            Mode::Forget => "forget",
        };
        let mut command = redis::cmd(by);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        command.arg(mode).arg(self.now).arg(self.ago / 1_000).arg(self.times).arg(&self.arguments);
        command
    }
}

/// A claim, and where in Redis its count is.
pub(crate) struct Claimed<'a> {
    pub(super) claim: &'a Claim<'a>,
    prefix: &'a str,
    name: &'a str,
    /// Of the widest rung: what all counts of a request share, so that a cluster has them on one
    /// node, and what the counts of a wide rung share whatever the narrow one is.
    tag: Hashed,
    rung: usize,
}

/// The claims of a plan with their keys.
pub(super) fn claimed<'a, const N: usize>(
    prefix: &'a str,
    plan: &'a Plan,
    keys: &Keys,
    claims: &'a Claims<'a, N>,
) -> impl Iterator<Item = Claimed<'a>> {
    let tag = keys.last();
    let (mut last, mut rung) = (None, 0);
    claims.iter().map(move |(owner, claim)| {
        rung = if last.replace(owner) == Some(owner) { rung + 1 } else { 0 };
        let name = plan.rules.get(owner).map_or("", |bound| bound.rule.name());
        Claimed { claim, prefix, name, tag, rung }
    })
}

impl Claimed<'_> {
    /// Of its count, among those of a table.
    pub(super) const fn number(&self) -> (u128, u8) {
        (self.claim.key.whole(), self.claim.variant.number())
    }

    pub(super) fn key(&self) -> String {
        let Self { prefix, name, rung, .. } = self;
        let (tag, own) = (self.tag.whole(), self.claim.key.whole());
        if own == tag && *rung == 0 {
            return format!("{prefix}{{{tag:032x}}}:{name}");
        }
        format!("{prefix}{{{tag:032x}}}:{name}:{rung}:{own:032x}")
    }
}

/// Writes an answer into the claims that it was asked of. How many times was charged, and whether
/// all of them, the shadows too, had enough left; `None` where it is no answer to them.
pub(crate) fn read<const N: usize>(
    claims: &mut Claims<'_, N>,
    answer: &[i64],
    now: Nanos,
) -> Option<(u32, bool)> {
    let (times, answers) = answer.split_first()?;
    let times = u32::try_from(*times).ok()?;
    let mut answers = answers.chunks_exact(4);
    let (mut all, mut refused) = (true, false);
    for claim in claims.iter_mut() {
        let [passed, stands, time, last] = *answers.next()? else { return None };
        Counting::of(claim.meter).tell(claim, Stands { stands, time, last }, now);
        // Where nothing is owed, a cell to which nothing was charged says the same.
        let next = || claim.cell.unwrap_or_else(|| claim.meter.force(None, 0, now));
        claim.next = (passed == 1).then(next);
        all &= passed == 1;
        refused |= claim.refuses();
    }
    let is_whole = answers.next().is_none() && answers.remainder().is_empty();
    (is_whole && refused == (times == 0)).then_some((times, all))
}
