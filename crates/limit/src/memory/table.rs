//! Where a key's slot is, and how it is claimed and charged.

use std::{sync::atomic::AtomicU8, time::Instant};

use super::{
    Full,
    claim::{Claim, Commit, Place},
    line::{Line, PRINT_BITS, SLOTS, Tag, Word, load, swap},
    sweep::Sweep,
    variants::{MAX as MAX_VARIANTS, Variant, Variants},
};
use crate::{
    error::ConfigError,
    key::{Hashed, Secret},
    meter::{Meter, Nanos},
    sync::{AtomicU64, Mutex, Ordering},
};

mod insert;

/// Locks for those who take a slot for a key that is new. A key has one of them. Under loom two:
/// keys of one lock and of two meet in other ways.
const STRIPES: usize = if cfg!(loom) { 2 } else { 256 };
/// Cells for those who find no slot, for each variant.
const SHARED: usize = if cfg!(loom) { 1 } else { 16 };

pub(crate) struct Table {
    lines: Box<[Line]>,
    mask: u64,
    stripes: Box<[Mutex<()>]>,
    shared: Box<[AtomicU64]>,
    pub(super) variants: Variants,
    sweep: Sweep,
    full: AtomicU8,
    times_full: AtomicU64,
    secret: Secret,
    epoch: Instant,
}

impl Table {
    pub(super) fn new(slots: usize, secret: Secret) -> Self {
        let lines = slots.div_ceil(SLOTS).max(2).next_power_of_two();
        let lines: Box<[Line]> = (0..lines).map(|_| Line::default()).collect();
        Self {
            mask: lines.len() as u64 - 1,
            sweep: Sweep::new(lines.len()),
            lines,
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            shared: (0..(MAX_VARIANTS + 1) * SHARED).map(|_| AtomicU64::new(0)).collect(),
            variants: Variants::new(),
            full: AtomicU8::new(0),
            times_full: AtomicU64::new(0),
            secret,
            epoch: Instant::now(),
        }
    }

    #[cfg(all(test, feature = "redis"))]
    pub(super) fn ahead(mut self, by: std::time::Duration) -> Self {
        self.epoch -= by;
        self
    }

    pub(super) fn capacity(&self) -> usize {
        self.lines.len() * SLOTS
    }

    pub(super) fn times_full(&self) -> u64 {
        self.times_full.load(Ordering::Relaxed)
    }

    pub(super) fn set_full(&self, full: Full) {
        self.full.store(full as u8, Ordering::Relaxed);
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.secret
    }

    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        let since = self.epoch.elapsed();
        // 584 years.
        since.as_secs().wrapping_mul(1_000_000_000).wrapping_add(since.subsec_nanos().into())
    }

    pub(crate) fn bind(&self, name: &str, meter: &Meter) -> Result<Variant, ConfigError> {
        let variant = self.variants.bind(name, meter)?;
        self.sweep.plan(&self.variants);
        Ok(variant)
    }

    /// Charges all of the claims, or none where one of them refuses. True where all of them, the
    /// shadows too, had enough left.
    #[inline]
    pub(crate) fn decide<'a>(&'a self, claims: &mut [Option<Claim<'a>>], now: Nanos) -> bool {
        self.sweep_if_due(now);
        let (mut refused, mut all) = (false, true);
        for claim in claims.iter_mut().map_while(Option::as_mut) {
            self.look(claim, now);
            refused |= claim.refuses();
            all &= claim.next.is_some();
        }
        if refused {
            return false;
        }
        for done in 0..claims.len() {
            let Some(Some(claim)) = claims.get_mut(done) else { break };
            if self.take(claim, now) {
                continue;
            }
            all = false;
            if !claim.shadow {
                Self::roll_back(claims, done, now);
                return false;
            }
        }
        all
    }

    /// Charges a claim that was looked at. False where there is not enough left after all, since
    /// others were faster.
    ///
    /// Only then is anything taken back that others may have seen. Whoever is faster makes this one
    /// look again, and keeps what it was charged for the rules before.
    #[inline]
    fn take<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) -> bool {
        while let Some(next) = claim.next {
            if claim.cost == 0 {
                return true;
            }
            match self.commit(claim, next, now) {
                Commit::Done => return true,
                Commit::Again => self.look(claim, now),
                Commit::Refused => claim.next = None,
            }
        }
        false
    }

    /// One claim, of a key that is known: what most requests ask, and a third
    /// of the work. The cell after it; or, as an error, the cell of which not so much is left. For
    /// [`decide`](Self::decide) to tell where it is `None`.
    #[inline]
    pub(crate) fn charge_known(
        &self,
        (variant, meter): (Variant, &Meter),
        key: Hashed,
        cost: u64,
        now: Nanos,
    ) -> Option<Result<u64, u64>> {
        if self.sweep.is_due(now) {
            return None;
        }
        let tag = Tag::new(variant.number(), key.print(PRINT_BITS));
        let place = self.find(key, tag)?;
        let cell = place.word.cell();
        let Some(next) = meter.charge(Some(cell), cost, now) else { return Some(Err(cell)) };
        swap(place.slot, place.word, tag.with(next)).then_some(Ok(next))
    }

    #[inline]
    fn sweep_if_due(&self, now: Nanos) {
        if self.sweep.is_due(now) {
            self.sweep.run(&self.lines, &self.shared, &self.variants, now);
        }
    }

    /// Reads the claim's slot, if it has one, and works out the charge.
    #[inline]
    fn look<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) {
        claim.place = self.find(claim.key, claim.tag());
        claim.cell = claim.place.map(|place| place.word.cell());
        if claim.place.is_none() {
            self.look_for_kin(claim, now);
        }
        claim.next = claim.meter.charge(claim.cell, claim.cost, now);
    }

    /// As the claim's rule reads what the key owes under another tier's version of it.
    fn look_for_kin<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) {
        claim.place = self.find_kin(claim);
        claim.cell = claim.place.and_then(|place| {
            let from = self.variants.meter(place.word.variant())?;
            claim.meter.adopt(from, place.word.cell(), now)
        });
    }

    /// The slot of the same key under another tier's version of the rule.
    #[inline]
    fn find_kin(&self, claim: &Claim<'_>) -> Option<Place<'_>> {
        let others = self.variants.others(claim.variant);
        if others == 0 {
            return None;
        }
        let print = claim.key.print(PRINT_BITS);
        self.search(claim.key, |word| word.print() == print && others & (1 << word.variant()) != 0)
    }

    #[inline]
    fn find(&self, key: Hashed, tag: Tag) -> Option<Place<'_>> {
        self.search(key, |word| word.tag() == tag)
    }

    #[inline]
    fn search(&self, key: Hashed, is_it: impl Fn(Word) -> bool) -> Option<Place<'_>> {
        let [first, second] = self.lines_of(key);
        let (first, [slot, second @ ..]) = (&first?.0, &second?.0);
        // Asked for before it is known whether it is needed: a line that is in no cache takes much
        // longer to come than the other one to be searched.
        let ahead = Place { slot, word: load(slot) };
        let place = |slot| Place { slot, word: load(slot) };
        let mut places = first.iter().map(place).chain([ahead]).chain(second.iter().map(place));
        places.find(|place| is_it(place.word))
    }

    /// The two lines in which a key may have its slot, never twice the same.
    #[inline]
    fn lines_of(&self, key: Hashed) -> [Option<&Line>; 2] {
        let [first, second] = key.lines().map(|line| line & self.mask);
        let second = if first == second { second ^ 1 } else { second };
        [first, second].map(|line| self.lines.get(usize::try_from(line).unwrap_or(0)))
    }

    #[inline]
    fn commit<'a>(&'a self, claim: &mut Claim<'a>, next: u64, now: Nanos) -> Commit {
        let Some(place) = claim.place else {
            return self.insert(claim, next, now);
        };
        let word = claim.tag().with(next);
        if !swap(place.slot, place.word, word) {
            return Commit::Again;
        }
        claim.place = Some(Place { word, ..place });
        Commit::Done
    }

    /// Gives back what the first of the claims were charged.
    #[cold]
    fn roll_back(claims: &mut [Option<Claim<'_>>], charged: usize, now: Nanos) {
        for claim in claims.iter_mut().map_while(Option::as_mut).take(charged) {
            if claim.cost == 0 || claim.next.is_none() {
                continue;
            }
            if let Some(place) = claim.place {
                Self::refund_at(claim, place, now, now);
            }
        }
    }

    /// Takes a charge off a slot, unless it has become another key's: then it has passed.
    fn refund_at(claim: &Claim<'_>, mut place: Place<'_>, then: Nanos, now: Nanos) {
        loop {
            let cell = claim.meter.refund(place.word.cell(), claim.cost, then, now);
            if swap(place.slot, place.word, place.word.tag().with(cell)) {
                return;
            }
            let word = load(place.slot);
            if word.tag() != place.word.tag() {
                return;
            }
            place.word = word;
        }
    }

    /// Gives back what was charged `then`.
    pub(crate) fn refund(&self, claim: &Claim<'_>, then: Nanos, now: Nanos) {
        if let Some(place) = self.find(claim.key, claim.tag()) {
            Self::refund_at(claim, place, then, now);
        }
    }

    /// Charges without asking.
    pub(crate) fn force<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) {
        self.sweep_if_due(now);
        loop {
            self.look(claim, now);
            let next = claim.meter.force(claim.cell, claim.cost, now);
            claim.next = Some(next);
            // Where there is no slot, the shared cell may have refused it: it is full enough.
            if !matches!(self.commit(claim, next, now), Commit::Again) {
                return;
            }
        }
    }

    /// Charges by what `measure` makes of a cell; `None` where there is no slot, and the cell that
    /// is shared instead is used up.
    #[cfg(feature = "governor")]
    pub(crate) fn replace<'a, T, E>(
        &'a self,
        claim: &mut Claim<'a>,
        now: Nanos,
        measure: impl Fn(Option<u64>) -> Result<(T, u64), E>,
    ) -> Result<Option<T>, E> {
        self.sweep_if_due(now);
        loop {
            claim.place = self.find(claim.key, claim.tag());
            claim.cell = claim.place.map(|place| place.word.cell());
            let (outcome, next) = measure(claim.cell)?;
            match self.commit(claim, next, now) {
                Commit::Done => return Ok(Some(outcome)),
                Commit::Again => {}
                Commit::Refused => return Ok(None),
            }
        }
    }

    /// Takes over what another store says of a claim.
    #[cfg(feature = "redis")]
    pub(crate) fn mirror(&self, claim: &Claim<'_>, cell: u64, now: Nanos) {
        self.sweep_if_due(now);
        let mut claim = Claim::new(claim.variant, claim.meter, claim.key, claim.cost);
        loop {
            self.look(&mut claim, now);
            claim.next = Some(cell);
            if !matches!(self.commit(&mut claim, cell, now), Commit::Again) {
                return;
            }
        }
    }

    /// The claim's cell, and nothing charged.
    pub(crate) fn peek<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) {
        self.sweep_if_due(now);
        self.look(claim, now);
    }

    /// Forgets what a key was charged, in whatever tier.
    pub(crate) fn reset(&self, claim: &Claim<'_>) {
        let find = || self.find(claim.key, claim.tag()).or_else(|| self.find_kin(claim));
        while let Some(place) = find() {
            if swap(place.slot, place.word, Word::EMPTY) {
                return;
            }
        }
    }
}
