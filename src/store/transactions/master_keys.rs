//! Transactions of master keys.

use crate::store::pools::{on_database, reading, writing};
use crate::store::seam::{CommitCondition, Connection};
use crate::store::{MasterKey, Store, StoreError, key_pairs, master_keys, meta};
use strongroom_domain::audit::Event;
use strongroom_domain::key::SealedKey;

/// The version of the first master key.
const FIRST: i64 = 1;

impl Store {
    /// Every master key, by version.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError> {
        reading!(self, "master_keys", |conn| master_keys::all(conn))
    }

    /// Adds a master key; [`StoreError::Conflict`] when its version is taken.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError> {
        writing!(self, "add_master_key", audit, |conn| add(conn, &master))
    }

    /// The lowest version of a master key that a key may be sealed under; only growing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn oldest_master(&self) -> Result<i64, StoreError> {
        reading!(self, "oldest_master", |conn| meta::oldest_master(conn))
    }

    /// Retires the master keys below a version for ever, unless a key is sealed under one of them; whether it did.
    /// Commits and resealing under a retired one are [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn retire_masters(&self, below: i64, audit: &[Event]) -> Result<bool, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("retire_masters").await?;
            let retired = retire_below(transaction.conn(), below).await?;
            if retired {
                transaction.commit(audit).await?;
            }
            Ok(retired)
        })
    }
}

/// Adds a master key; the first precedes every sealed key.
async fn add(conn: &mut impl Connection, master: &MasterKey) -> Result<(), StoreError> {
    if master.version == FIRST {
        let sealed = key_pairs::seals(conn).await?.len();
        if sealed > 0 && master_keys::all(conn).await?.is_empty() {
            let lost = format!("{sealed} sealed keys, but no master key; restore the table master_keys from a backup");
            return Err(StoreError::Inconsistent(lost));
        }
    }
    master_keys::insert(conn, master).await
}

/// Retires the master keys below a version, unless a key is sealed under one of them: then the change is not to be
/// committed.
async fn retire_below(conn: &mut impl Connection, version: i64) -> Result<bool, StoreError> {
    // First, so that commits from here on are refused or done before the seals are read.
    meta::raise_oldest_master(conn, version).await?;
    Ok(!key_pairs::seals(conn).await?.iter().any(|sealed| is_older(sealed, version)))
}

/// Passes unless a key is sealed under a retired master key, by a daemon that has not heard of it yet; the commit
/// asks again.
pub(super) async fn check(conn: &mut impl Connection, sealed: &SealedKey) -> Result<(), StoreError> {
    conn.require(CommitCondition::MasterKey(sealed.parts().map_or(0, |(master, _)| master)));
    if is_older(sealed, meta::oldest_master(conn).await?) {
        return Err(StoreError::Unavailable("the key is sealed under a master key that is retired".to_owned()));
    }
    Ok(())
}

fn is_older(sealed: &SealedKey, version: i64) -> bool {
    sealed.parts().map_or(0, |(master, _)| master) < version
}
