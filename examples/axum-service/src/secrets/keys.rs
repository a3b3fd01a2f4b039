//! The keys that seal the secrets.

use std::env;

use buttress::{
    Secret,
    seal::{Key, KeyError, KeyRing},
};

const VARIABLES: [&str; 2] = ["SEAL_KEY", "SEAL_KEY_OLD"];

/// Those of the environment, or one that was made for this run.
#[derive(Debug)]
pub(crate) struct Keys {
    ring: KeyRing,
    /// The primary key's text, where it is nobody else's.
    ephemeral: Option<Secret<String>>,
}

impl Keys {
    /// `SEAL_KEY` and `SEAL_KEY_OLD`. Without either, an ephemeral key.
    pub(crate) fn from_env() -> Result<Self, KeyError> {
        // One that is set and empty is a mistake.
        if VARIABLES.into_iter().all(|name| env::var_os(name).is_none()) {
            return Self::ephemeral();
        }
        Ok(Self { ring: KeyRing::from_env("SEAL_KEY")?, ephemeral: None })
    }

    pub(crate) fn ephemeral() -> Result<Self, KeyError> {
        let key = Key::generate()?;
        let ephemeral = Some(key.to_text());
        Ok(Self { ring: KeyRing::new(key), ephemeral })
    }

    pub(super) const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    pub(super) const fn is_ephemeral(&self) -> bool {
        self.ephemeral.is_some()
    }

    /// Makes another ephemeral key the primary one. While a rotation is not complete, that is the
    /// one which it has begun with; and the environment's keys are the operator's.
    pub(super) fn renew(&mut self) -> Result<(), KeyError> {
        let is_rotating = self.ring.openable_ids().nth(1).is_some();
        if let Some(old) = &self.ephemeral
            && !is_rotating
        {
            let key = Key::generate()?;
            let text = key.to_text();
            self.ring = KeyRing::new(key).and_old(Key::parse(old.expose())?)?;
            self.ephemeral = Some(text);
        }
        Ok(())
    }

    /// Forgets the ephemeral keys before this one: nothing is sealed with them any more.
    pub(super) fn retire(&mut self) -> Result<(), KeyError> {
        if let Some(key) = &self.ephemeral {
            self.ring = KeyRing::new(Key::parse(key.expose())?);
        }
        Ok(())
    }
}
