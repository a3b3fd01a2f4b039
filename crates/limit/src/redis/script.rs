//! What the script is asked, and what its answer says.

use redis::Cmd;

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    key::Keys,
    meter::{Meter, Nanos},
    plan::{Claims, Plan, Which, with_claims},
    rule::Rule,
};

pub(super) const SCRIPT: &str = include_str!("decide.lua");

/// Lua's numbers are whole up to here.
const WHOLE: u128 = 1 << 53;
/// How many bursts deep a debt may go that is charged afterwards.
const DEEPEST: u64 = 16;

/// What is done with the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Check,
    Force,
    Refund,
}

/// A script's call without its name.
#[derive(Clone, Debug)]
pub(crate) struct Call {
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

/// How a meter counts in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counting {
    kind: &'static str,
    one: u128,
    two: u128,
}

impl Counting {
    /// A debt is counted in such parts that a microsecond pays a whole number of them, and a unit
    /// is a whole number of them.
    fn of(meter: &Meter) -> Option<Self> {
        match meter {
            Meter::Gcra(gcra) => {
                let (nanos, units) = gcra.interval();
                let (mut unit, mut paid) = reduced(nanos, units * 1_000);
                let deepest = u128::from(meter.limit() * DEEPEST);
                // Too fine for Lua: a little slower, never faster.
                while deepest * unit >= WHOLE && paid > 1 {
                    (unit, paid) = (unit.div_ceil(2), paid / 2);
                }
                Some(Self { kind: "g", one: unit, two: paid })
            }
            Meter::Fixed(fixed) => {
                let micros = fixed.period().div_ceil(1_000);
                Some(Self { kind: "w", one: micros.into(), two: 0 })
            }
            Meter::Sliding(_) => None,
        }
    }

    /// The cell of where a count stands; `None` where nothing is owed.
    fn cell(self, meter: &Meter, (stands, more): (i64, i64), now: Nanos) -> Option<u64> {
        let stands = u64::try_from(stands).ok().filter(|stands| *stands > 0)?;
        match meter {
            Meter::Gcra(gcra) => Some(gcra.owing(stands, self.one, now)),
            Meter::Fixed(fixed) => {
                let left = u64::try_from(more).unwrap_or(0).saturating_mul(1_000);
                Some(fixed.counted(stands, left, now))
            }
            Meter::Sliding(_) => None,
        }
    }
}

/// In lowest terms.
fn reduced(a: u128, b: u128) -> (u128, u128) {
    let (mut common, mut rest) = (a, b);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    let common = common.max(1);
    (a / common, b / common)
}

/// Whether Redis can count by this rule.
pub(crate) fn check(rule: &Rule) -> Result<(), ConfigError> {
    if Counting::of(&rule.meter).is_some() {
        return Ok(());
    }
    let message = format!("{}: Redis counts no sliding windows: use a quota itself", rule.name());
    Err(ConfigError::new(Kind::Algorithm, message))
}

impl Call {
    /// `now` is in microseconds, 0 for the server's own time.
    pub(crate) fn new(prefix: &str, mode: Mode, of: Of<'_>, now: u64, ago: Nanos) -> Self {
        let mode = match mode {
            Mode::Check => "check",
            Mode::Force => "force",
            Mode::Refund => "refund",
        };
        let arguments = vec![mode.to_owned(), now.to_string(), (ago / 1_000).to_string()];
        let mut call = Self { keys: Vec::new(), arguments };
        let plan = of.plan;
        with_claims!(plan, |N| call.fill(prefix, of, &plan.claims::<N>(of.keys, of.cost)));
        call
    }

    fn fill<const N: usize>(&mut self, prefix: &str, of: Of<'_>, claims: &Claims<'_, N>) {
        let (mut last, mut rung) = (None, 0);
        for (index, (owner, claim)) in claims.iter().enumerate() {
            rung = if last.replace(owner) == Some(owner) { rung + 1 } else { 0 };
            let Some(bound) = of.plan.rules.get(owner) else { continue };
            let Some(counting) = Counting::of(claim.meter) else { continue };
            let is_meant = of.which == Which::All || bound.rule.failures_only;
            if !is_meant || of.charged & (1 << index) == 0 {
                continue;
            }
            let (name, key) = (bound.rule.name(), claim.key.whole());
            self.keys.push(format!("{prefix}{{{key:032x}}}:{name}:{rung}"));
            let limit = claim.meter.limit();
            // What can never pass stays so, in numbers that Lua knows.
            let cost = claim.cost.min(limit * DEEPEST);
            self.arguments.extend([
                counting.kind.to_owned(),
                counting.one.to_string(),
                counting.two.to_string(),
                limit.to_string(),
                cost.to_string(),
                u8::from(claim.shadow).to_string(),
            ]);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// By the script's digest, or with the whole of it.
    pub(super) fn command(&self, by: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(by);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        command
    }

    pub(super) fn forget(&self) -> Cmd {
        let mut command = redis::cmd("DEL");
        command.arg(&self.keys);
        command
    }
}

/// Writes an answer into the claims that it was asked of. True where all of them, the shadows too,
/// had enough left; `None` where it is no answer to them.
pub(crate) fn read<const N: usize>(
    claims: &mut Claims<'_, N>,
    answer: &[i64],
    now: Nanos,
) -> Option<bool> {
    let mut answers = answer.chunks_exact(3);
    let mut all = true;
    for claim in claims.iter_mut() {
        let [passed, stands, more] = *answers.next()? else { return None };
        claim.cell = Counting::of(claim.meter)?.cell(claim.meter, (stands, more), now);
        // Where nothing is owed, a cell to which nothing was charged says the same.
        let next = || claim.cell.unwrap_or_else(|| claim.meter.force(None, 0, now));
        claim.next = (passed == 1).then(next);
        all &= passed == 1;
    }
    answers.next().is_none().then_some(all)
}
