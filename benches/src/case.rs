//! What is measured.

use std::{collections::BTreeMap, fmt};

use crate::Failure;

/// Does its job this many times.
pub type Loop = Box<dyn FnMut(u64)>;

/// One job, done by ours and by its peers.
#[derive(Debug)]
pub struct Case {
    /// By which it is chosen, and found in the gate's table.
    pub name: String,
    /// What is taken off the others.
    pub bare: Side,
    /// The layer of this family.
    pub ours: Side,
    /// Others' layers that do the same, or nearly.
    pub peers: Vec<Side>,
    /// The most that ours may add.
    pub asked: Option<Asked>,
}

/// An upper bound for one request.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// As callgrind counts them.
    pub instructions: u64,
    /// Calls of the allocator that give memory.
    pub allocations: u64,
}

/// One way to do a case's job.
pub struct Side {
    name: &'static str,
    key: String,
    calibrates: bool,
    is_long: bool,
    make: Box<dyn Fn() -> Result<Loop, Failure> + Send + Sync>,
}

impl Side {
    /// Names a loop; two sides of one key are the same loop.
    fn new(
        name: &'static str,
        key: String,
        make: impl Fn() -> Result<Loop, Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { name, key, calibrates: false, is_long: false, make: Box::new(make) }
    }

    /// The crate it comes from; for the bare side, what it is.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// By which it is told from every other loop.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether what is done before the job takes as long as it takes, by the clock: then it is not
    /// counted, nor is what other threads do.
    #[must_use]
    pub const fn calibrates(&self) -> bool {
        self.calibrates
    }

    /// Whether the job takes so long that a few times tell what it takes.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        self.is_long
    }

    /// Sets everything up that is not part of the job.
    ///
    /// # Errors
    ///
    /// When a layer refuses its configuration.
    pub fn start(&self) -> Result<Loop, Failure> {
        (self.make)()
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Side").field(&self.key).finish()
    }
}

impl Case {
    pub(crate) fn new(
        name: impl Into<String>,
        bare: Side,
        ours: impl Fn() -> Result<Loop, Failure> + Send + Sync + 'static,
    ) -> Self {
        let name = name.into();
        let ours = Side::new("buttress", format!("{name}: buttress"), ours);
        Self { name, bare, ours, peers: Vec::new(), asked: None }
    }

    pub(crate) fn peer(
        mut self,
        name: &'static str,
        make: impl Fn() -> Result<Loop, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.peers.push(Side::new(name, format!("{}: {name}", self.name), make));
        self
    }

    /// The peers' clock calibrates itself when the first one is made.
    pub(crate) fn peers_calibrate(mut self) -> Self {
        for peer in &mut self.peers {
            peer.calibrates = true;
        }
        self
    }

    /// Ours and the peers' are counted a few times, and not a thousand.
    pub(crate) fn long(mut self) -> Self {
        for side in self.peers.iter_mut().chain([&mut self.ours]) {
            side.is_long = true;
        }
        self
    }

    pub(crate) const fn asked(mut self, instructions: u64, allocations: u64) -> Self {
        self.asked = Some(Asked { instructions, allocations });
        self
    }

    /// What the case's sides add to the bare one: ours, then each peer; nothing where a side was
    /// not counted.
    #[must_use]
    pub fn added(&self, counts: &BTreeMap<String, u64>) -> Vec<Option<u64>> {
        let bare = counts.get(self.bare.key());
        self.sides()
            .skip(1)
            .map(|side| Some(counts.get(side.key())?.saturating_sub(*bare?)))
            .collect()
    }

    /// Bare, ours, and then the peers.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        [&self.bare, &self.ours].into_iter().chain(&self.peers)
    }
}

/// What is taken off; cases whose bare sides have one name share it.
pub(crate) fn bare(
    name: &'static str,
    make: impl Fn() -> Result<Loop, Failure> + Send + Sync + 'static,
) -> Side {
    Side::new(name, format!("bare: {name}"), make)
}
