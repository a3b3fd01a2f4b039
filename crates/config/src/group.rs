//! A part of a configuration.

use std::{fmt, marker::PhantomData};

use crate::{
    config::Config,
    vars::{Read, Vars, tidy},
};

/// A part of a configuration that is about to be read: [`Vars::group`].
///
/// ```
/// use buttress_config::{Environment, Url, config};
///
/// config! {
///     #[derive(Debug)]
///     struct Store {
///         /// Where it is.
///         url: Url = var("URL"),
///     }
/// }
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// What is written.
///         primary: Store = group().prefixed("PRIMARY_"),
///         /// What is read.
///         replica: Store = group().prefixed("REPLICA_"),
///     }
/// }
///
/// let environment =
///     Environment::of([("PRIMARY_URL", "postgres://a/shop"), ("REPLICA_URL", "postgres://b/shop")]);
/// assert_eq!(environment.load::<Settings>()?.replica.url.host(), Some("b"));
/// # Ok::<(), buttress_config::Report>(())
/// ```
#[must_use = "it does nothing until `read`"]
pub struct Group<'v, 'a, T> {
    vars: &'v mut Vars<'a>,
    prefix: &'v str,
    about: &'v str,
    part: PhantomData<T>,
}

impl<'v, 'a, T: Config> Group<'v, 'a, T> {
    pub(crate) const fn new(vars: &'v mut Vars<'a>) -> Self {
        Self { vars, prefix: "", about: "", part: PhantomData }
    }

    /// What the part is about: its heading in `.env.example`.
    pub const fn about(mut self, about: &'v str) -> Self {
        self.about = about;
        self
    }

    /// What stands before the name of each of its variables.
    pub const fn prefixed(mut self, prefix: &'v str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Reads it.
    pub fn read(self) -> Read<T> {
        let Self { vars, prefix, about, .. } = self;
        let prefix = vars.prefixed(prefix);
        let outer_prefix = std::mem::replace(&mut vars.prefix, prefix);
        let outer_section = std::mem::replace(&mut vars.section, tidy(about));
        let before = vars.findings.settings.len();
        let value = T::declare(vars);
        vars.prefix = outer_prefix;
        vars.section = outer_section;
        // A rule that is broken by a part is about all of its variables.
        let read = vars.findings.settings.iter().skip(before);
        Read { value, names: read.map(|(holder, _)| holder.name.clone()).collect() }
    }
}

impl<T> fmt::Debug for Group<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
