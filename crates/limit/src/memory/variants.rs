//! Which rules a store counts for.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    meter::Meter,
};

/// A slot has five bits for it, and none is 0.
pub(super) const MAX: usize = 31;

/// A rule, or a tier's version of one, by its number in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant(u8);

impl Variant {
    #[inline]
    pub(crate) const fn number(self) -> u8 {
        self.0
    }

    #[inline]
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Set when rules are bound to a store, and only read after that.
#[derive(Debug)]
pub(super) struct Variants {
    meters: [OnceLock<Meter>; MAX + 1],
    /// For each variant the bits of those of its rule's name, itself included.
    kin: [AtomicU32; MAX + 1],
    names: Mutex<Vec<String>>,
}

impl Variants {
    pub(super) fn new() -> Self {
        Self {
            meters: std::array::from_fn(|_| OnceLock::new()),
            kin: std::array::from_fn(|_| AtomicU32::new(0)),
            names: Mutex::default(),
        }
    }

    /// The variant of this name that counts so; a new one, unless there is one already.
    pub(super) fn bind(&self, name: &str, meter: &Meter) -> Result<Variant, ConfigError> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kin = 0;
        for (other, number) in names.iter().zip(1_u8..) {
            if other != name {
                continue;
            }
            match self.meter(number.into()) {
                Some(known) if known == meter => return Ok(Variant(number)),
                Some(known) if !meter.can_adopt(known) => {
                    let message = format!(
                        "{name}: rules of one name share their count, so they must count in one \
                         way, and in windows of one length"
                    );
                    return Err(ConfigError::new(Kind::UnlikeRules, message));
                }
                _ => kin |= 1 << number,
            }
        }
        let number = u8::try_from(names.len() + 1).unwrap_or(u8::MAX);
        let Some(place) = self.meters.get(usize::from(number)) else {
            let message = format!("{name}: a store counts for at most {MAX} rules and rungs");
            return Err(ConfigError::new(Kind::TooManyRules, message));
        };
        let _ = place.set(*meter);
        names.push(name.to_owned());
        kin |= 1 << number;
        for (bit, others) in self.kin.iter().enumerate() {
            if kin & (1 << bit) != 0 {
                others.store(kin, Ordering::Relaxed);
            }
        }
        Ok(Variant(number))
    }

    #[inline]
    pub(super) fn meter(&self, number: usize) -> Option<&Meter> {
        self.meters.get(number)?.get()
    }

    pub(super) fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.meters.iter().filter_map(OnceLock::get)
    }

    /// The bits of the others of a variant's name.
    pub(super) fn others(&self, variant: Variant) -> u32 {
        let kin = self.kin.get(variant.index());
        kin.map_or(0, |kin| kin.load(Ordering::Relaxed)) & !(1 << variant.number())
    }
}
