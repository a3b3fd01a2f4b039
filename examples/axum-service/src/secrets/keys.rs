//! The keys that seal the secrets.

use buttress::{
    Secret,
    seal::{Key, KeyError, KeyRing},
};

/// Those of the settings, or one that was made for this run.
#[derive(Debug)]
pub(crate) struct Keys {
    ring: KeyRing,
    /// The primary key's text, where it is nobody else's.
    ephemeral: Option<Secret<String>>,
}

impl Keys {
    /// The key that seals, and those that still open. Without the first, an ephemeral key.
    pub(crate) fn of(
        key: Option<&Secret<String>>,
        old: Option<&Secret<String>>,
    ) -> Result<Self, KeyError> {
        let Some(key) = key else { return Self::ephemeral() };
        let ring = KeyRing::new(Key::parse(key.expose())?);
        let old = old.map_or("", |old| old.expose());
        let ring = Key::parse_list(old)?.into_iter().try_fold(ring, KeyRing::and_old)?;
        Ok(Self { ring, ephemeral: None })
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
    /// one which it has begun with; and the settings' keys are the operator's.
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
