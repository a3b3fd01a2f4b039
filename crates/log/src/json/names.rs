//! Names that are taken.

/// Names that are taken, in one object.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: Vec<Box<str>>,
    /// A bit for each name: most that are not in it can be told at once.
    bits: u64,
}

impl Names {
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self::default();
        for name in names {
            all.insert(name);
        }
        all
    }

    /// The name, or the first of `x_name`, `x_x_name`… that is free.
    pub(super) fn take(&mut self, name: &str) -> Box<str> {
        let mut free = name.to_owned();
        while self.has(&free) {
            free.insert_str(0, "x_");
        }
        self.insert(&free);
        free.into()
    }

    pub(super) fn insert(&mut self, name: &str) {
        self.bits |= bit(name);
        self.taken.push(name.into());
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.bits & bit(name) != 0 && self.taken.iter().any(|taken| **taken == *name)
    }
}

fn bit(name: &str) -> u64 {
    let first = name.bytes().next().unwrap_or_default();
    let last = name.bytes().next_back().unwrap_or_default();
    let mixed = name.len().wrapping_mul(31).wrapping_add(usize::from(first) * 7);
    1 << (mixed.wrapping_add(usize::from(last) * 13) % 64)
}
