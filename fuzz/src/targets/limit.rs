use std::time::Duration;

use buttress_limit::{Decision, Limiter, MemoryStore, Quota, Rule, days};

/// Names of the rules, and the most of them.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// A run is no longer.
const MAX_STEPS: usize = 64;

/// Rate limits. The first three lines are quotas as they stand in a configuration; each byte of
/// what follows is a request: how long after the last one, and what it costs.
pub fn limit(data: &[u8]) {
    let mut lines = data.splitn(NAMES.len() + 1, |byte| *byte == b'\n');
    let quotas: Vec<Quota> = lines.by_ref().take(NAMES.len()).filter_map(quota).collect();
    let rules = quotas.iter().zip(NAMES).map(|(quota, name)| {
        // What is parsed can be put to use.
        Rule::new(name, *quota).expect("a quota that was parsed")
    });
    let rules: Vec<Rule> = rules.collect();
    let Some(first) = quotas.first() else { return };
    let store = MemoryStore::with_capacity(0).expect("a small store");
    let limiter = Limiter::new(store, rules).expect("rules of different names");

    // A step is an eighth of the first rule's interval.
    let step = first.period().as_nanos() / u128::from(first.requests()) / 8;
    let mut now = Duration::from_secs(1);
    let limit = quotas.iter().map(Quota::limit).min().unwrap_or_default();
    for byte in lines.next().unwrap_or_default().iter().take(MAX_STEPS) {
        let passed = u64::try_from(step * u128::from(byte >> 3)).unwrap_or(u64::MAX);
        now = now.saturating_add(Duration::from_nanos(passed)).min(days(36_500));
        now = request(&limiter, u64::from(byte & 7), limit, now);
    }
}

/// One line: parsed, printed and parsed again.
fn quota(line: &[u8]) -> Option<Quota> {
    let text = String::from_utf8_lossy(line);
    let quota = match text.parse::<Quota>() {
        Ok(quota) => quota,
        Err(error) => {
            let error = error.to_string();
            let why = error.strip_prefix(&format!("{text:?}: "));
            assert!(why.is_some_and(|why| !why.is_empty()), "{error} does not say of what and why");
            return None;
        }
    };
    assert_eq!(quota.to_string().parse(), Ok(quota), "it does not read back");
    assert_eq!(Quota::from_var("LIMIT", &text), Ok(quota), "a variable is another");

    // As a reader would: a number, a slash, a number or none, a unit.
    let (number, period) = text.split_once('/').expect("a slash");
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits(number.trim()), "{number} is no number");
    assert_eq!(number.trim().parse(), Ok(quota.requests()), "the number is another");
    let unit = period.trim().trim_start_matches(|c: char| c.is_ascii_digit());
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let (_, millis) = units.into_iter().find(|(name, _)| *name == unit).expect("a unit");
    let count = period.trim().strip_suffix(unit).unwrap_or_default();
    let count: u64 = if count.is_empty() { 1 } else { count.parse().expect("a number") };
    assert_eq!(quota.period(), Duration::from_millis(count * millis), "the period is another");
    assert_eq!(quota.limit(), quota.requests(), "nobody has asked for another burst");
    Some(quota)
}

/// What is said of a request agrees with itself, and is true. Answers the time after it.
fn request(limiter: &Limiter, cost: u64, limit: u64, now: Duration) -> Duration {
    let before: Vec<u64> = limiter.peek_at("a", now).iter().map(Decision::remaining).collect();
    let decision = limiter.check_at("a", cost, now);
    assert!(decision.remaining() <= decision.limit(), "more is left than there is");
    assert!(decision.next_unit() <= decision.reset_after(), "one unit takes longer than all");
    assert_eq!(
        decision.reset_after().is_zero(),
        decision.next_unit().is_zero(),
        "nothing is missing, or something"
    );
    if decision.remaining() == 0 {
        assert!(!decision.next_unit().is_zero(), "nothing is left, and nothing missing");
    }
    let levels = limiter.peek_at("a", now);
    if !decision.is_limited() {
        assert!(before.iter().all(|left| cost <= *left), "more is admitted than was left");
        assert_eq!(decision.retry_after(), None, "it is admitted, and to come back");
        for (level, before) in levels.iter().zip(&before) {
            assert_eq!(level.remaining(), before - cost, "another charge than the cost");
        }
        return now;
    }
    let after: Vec<u64> = levels.iter().map(Decision::remaining).collect();
    assert_eq!(after, before, "it is refused, and charged");
    assert!(before.iter().any(|left| cost > *left), "it is refused, and there was enough");
    let Some(wait) = decision.retry_after() else {
        assert!(cost > limit, "it could pass, and is not told when");
        return now;
    };
    assert!(cost <= limit, "it never passes, and is told when");
    assert!(wait >= decision.next_unit() && !wait.is_zero(), "it may come too early");
    // Nobody else comes meanwhile: then it passes, and its charge is given back at once.
    let then = now + wait;
    assert!(!limiter.check_at("a", cost, then).is_limited(), "the wait was too short");
    limiter.refund_at("a", cost, then, then);
    then
}
