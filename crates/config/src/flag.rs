//! What is on and off.

use std::{
    cell::RefCell,
    fmt,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
};

const UNSET: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

/// How many overrides there are in the process: where there is none, nobody looks for one.
static OVERRIDES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static HERE: RefCell<Vec<(&'static str, bool)>> = const { RefCell::new(Vec::new()) };
}

/// A feature that is on or off: a `static`, read anywhere, set once by the environment.
///
/// ```
/// use buttress_config::{Environment, Flag, config};
///
/// static AUDIT_LOG: Flag = Flag::new("ENABLE_AUDIT_LOG", false, "Who did what is written down.");
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// How many at once.
///         workers: u16 = var("WORKERS").default(4),
///     }
///     flags { AUDIT_LOG }
/// }
///
/// assert!(!AUDIT_LOG.is_on());
/// Environment::of([("ENABLE_AUDIT_LOG", "true")]).load::<Settings>()?;
/// assert!(AUDIT_LOG.is_on());
/// # Ok::<(), buttress_config::Report>(())
/// ```
///
/// It has its default until a configuration that names it was loaded without errors. In a test,
/// [`set_here`](Self::set_here) sets it for one thread: a load sets it for all of them, and so for
/// other tests, too.
pub struct Flag {
    name: &'static str,
    about: &'static str,
    default: bool,
    state: AtomicU8,
}

impl Flag {
    /// A flag of this variable, what holds where it is not set, and what it is for.
    #[must_use]
    pub const fn new(name: &'static str, default: bool, about: &'static str) -> Self {
        Self { name, about, default, state: AtomicU8::new(UNSET) }
    }

    /// Whether the feature is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        if OVERRIDES.load(Ordering::Relaxed) > 0
            && let Some(on) = self.here()
        {
            return on;
        }
        match self.state.load(Ordering::Relaxed) {
            OFF => false,
            ON => true,
            _ => self.default,
        }
    }

    /// Its variable.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is for.
    #[must_use]
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// What holds where the variable is not set.
    #[must_use]
    pub const fn default(&self) -> bool {
        self.default
    }

    /// On or off for this thread, until the answer is dropped; of several the last counts. For
    /// tests, which run beside each other: what a test spawns onto other threads does not see it.
    ///
    /// ```
    /// use buttress_config::Flag;
    ///
    /// static CHAT: Flag = Flag::new("ENABLE_CHAT", false, "People may talk.");
    ///
    /// {
    ///     let _on = CHAT.set_here(true);
    ///     assert!(CHAT.is_on());
    /// }
    /// assert!(!CHAT.is_on());
    /// ```
    #[must_use = "it is undone when this is dropped"]
    pub fn set_here(&'static self, on: bool) -> FlagOverride {
        OVERRIDES.fetch_add(1, Ordering::Relaxed);
        HERE.with_borrow_mut(|here| here.push((self.name, on)));
        FlagOverride { name: self.name, on, thread: std::marker::PhantomData }
    }

    pub(crate) fn set(&self, on: bool) {
        self.state.store(if on { ON } else { OFF }, Ordering::Relaxed);
    }

    fn here(&self) -> Option<bool> {
        // At the end of a thread there are no overrides left.
        HERE.try_with(|here| {
            let here = here.borrow();
            here.iter().rev().find(|(name, _)| *name == self.name).map(|(_, on)| *on)
        })
        .ok()
        .flatten()
    }
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flag").field("name", &self.name).field("is_on", &self.is_on()).finish()
    }
}

/// A [`Flag`] that is set for one thread: [`Flag::set_here`].
#[derive(Debug)]
pub struct FlagOverride {
    name: &'static str,
    on: bool,
    /// It is undone on the thread that it was made on.
    thread: std::marker::PhantomData<*const ()>,
}

impl Drop for FlagOverride {
    fn drop(&mut self) {
        let _ = HERE.try_with(|here| {
            let mut here = here.borrow_mut();
            let last = here.iter().rposition(|entry| *entry == (self.name, self.on));
            if let Some(last) = last {
                here.remove(last);
            }
        });
        OVERRIDES.fetch_sub(1, Ordering::Relaxed);
    }
}
