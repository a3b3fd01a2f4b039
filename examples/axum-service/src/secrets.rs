//! Secrets at rest: `/secrets`. What is stored of them is sealed, each for its own row.

use std::{path::Path, sync::Arc};

use buttress::{
    Secret,
    seal::{Context, KeyRing, Report, Reseal, ResealError, ResealStore, Row, SealError, context},
};
use tokio::sync::Mutex;

pub(crate) use self::keys::Keys;
use self::table::{Stored, Table};
use crate::{embedded::Embedded, error::Error};

mod keys;
pub(crate) mod routes;
mod table;

/// A clone shares all of it. Every change is a transaction.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    vault: Embedded<Vault>,
    rotation: Arc<Mutex<()>>,
}

/// Keys and rows behind one lock: who seals a row does it with the keys of that moment.
#[derive(Debug)]
struct Vault {
    keys: Keys,
    table: Table,
}

/// Why the secrets are not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Table(#[from] rusqlite::Error),
    #[error("not sealed with SEAL_KEY, nor with one of SEAL_KEY_OLD: {0}")]
    Keys(#[from] SealError),
}

/// What a rotation has done, and the key that seals from now on.
#[derive(Debug)]
struct Rotated {
    key_id: String,
    report: Report<i64>,
}

/// Where the value of this row stands. It opens nowhere else.
fn place(id: i64) -> Context {
    context!("secrets.value", id)
}

impl Secrets {
    /// Those of this file, or none yet, in memory. A file that was sealed with other keys is
    /// refused: its own service could not read what this one would write.
    pub(crate) fn open(keys: Keys, file: Option<&Path>) -> Result<Self, OpenError> {
        let table = Table::open(file)?;
        let canary = table.canary_or(keys.ring().canary()?.as_str())?;
        keys.ring().verify_canary(&canary)?;
        let vault = Embedded::new("secrets", Vault { keys, table });
        Ok(Self { vault, rotation: Arc::default() })
    }

    /// Says in the log which key seals: its id, which is no secret.
    pub(crate) async fn announce(&self) {
        let vault = self.vault.lock().await;
        let key_id = vault.keys.ring().primary_id();
        if vault.keys.is_ephemeral() {
            tracing::warn!(
                target: "secrets",
                key_id,
                "SEAL_KEY is not set: sealing with the ephemeral key {key_id}, and what it has \
                 sealed opens no more when the service has ended"
            );
        } else {
            tracing::info!(target: "secrets", key_id, "sealing with the key {key_id}");
        }
    }

    /// Whether the table answers, and is still of these keys.
    pub(crate) async fn answer(&self) -> Result<(), Error> {
        self.with(|Vault { keys, table }| Ok(keys.ring().verify_canary(&table.canary()?)?)).await
    }

    async fn create(&self, name: String, value: Secret<String>) -> Result<i64, Error> {
        self.with(move |Vault { keys, table }| {
            table.insert(&name, |id| keys.ring().seal(&value, place(id)))
        })
        .await
    }

    async fn stored(&self, id: i64) -> Result<Stored, Error> {
        self.with(move |vault| vault.table.row(id)?.ok_or(Error::NoSecret)).await
    }

    async fn value(&self, id: i64) -> Result<(String, Secret<String>), Error> {
        self.with(move |Vault { keys, table }| {
            let Stored { name, sealed } = table.row(id)?.ok_or(Error::NoSecret)?;
            let value = keys.ring().open(&sealed.parse()?, place(id))?;
            Ok((name, value))
        })
        .await
    }

    /// Seals all of them with the primary key: with that of `SEAL_KEY`, or with another ephemeral
    /// one. Where it is broken off, by a client that leaves, the next one goes on with it.
    async fn rotate(&self) -> Result<Rotated, Error> {
        let Ok(_alone) = self.rotation.try_lock() else { return Err(Error::Rotating) };
        let renewed = self.with(|vault| {
            vault.keys.renew()?;
            Ok(vault.keys.ring().clone())
        });
        let ring: KeyRing = renewed.await?;
        let rows = &mut Rows(self);
        let report = Reseal::new(&ring).run(rows).await.map_err(ResealError::into_inner)?;
        let key_id = ring.primary_id().to_owned();
        tracing::info!(target: "secrets", key_id, "rotated: {report}");
        if report.is_complete() {
            self.with(move |Vault { keys, table }| {
                // From now on the old keys may be taken away.
                table.put_canary(ring.canary()?.as_str())?;
                Ok(keys.retire()?)
            })
            .await?;
        }
        Ok(Rotated { key_id, report })
    }

    async fn with<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Vault) -> Result<T, Error> + Send + 'static,
    {
        self.vault.with(work).await
    }
}

/// The table, as a rotation sees it.
struct Rows<'a>(&'a Secrets);

impl ResealStore for Rows<'_> {
    type Key = i64;
    type Error = Error;

    async fn fetch(&mut self, after: Option<&i64>, limit: usize) -> Result<Vec<Row<i64>>, Error> {
        let after = after.copied().unwrap_or_default();
        let rows = self.0.with(move |vault| Ok(vault.table.after(after, limit)?)).await?;
        Ok(rows.into_iter().map(|(id, sealed)| Row::new(id, sealed, place(id))).collect())
    }

    async fn replace(&mut self, row: &Row<i64>, sealed: &str) -> Result<bool, Error> {
        let (id, held, sealed) = (row.key, row.sealed.clone(), sealed.to_owned());
        self.0.with(move |vault| Ok(vault.table.replace(id, &held, &sealed)?)).await
    }
}
