//! Transactions of master keys.

use crate::store::{MasterKey, Store, StoreError, master_keys};
use strongroom_domain::audit::Event;

impl Store {
    /// Every master key, by version.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError> {
        master_keys::all(&mut self.view("master_keys").await?.conn).await
    }

    /// Adds a master key; [`StoreError::Conflict`] when its version is taken.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError> {
        let mut writing = self.begin("add_master_key").await?;
        master_keys::add(&mut writing.tx, &master).await?;
        writing.commit(audit).await
    }

    /// The lowest version of a master key that a key may be sealed under; only growing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn oldest_master(&self) -> Result<i64, StoreError> {
        master_keys::oldest(&mut self.view("oldest_master").await?.conn).await
    }

    /// Retires the master keys below a version for ever, unless a key is sealed under one of them; whether it did.
    /// Commits and resealing under a retired one are [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn retire_masters(&self, below: i64, audit: &[Event]) -> Result<bool, StoreError> {
        let mut writing = self.begin("retire_masters").await?;
        let retired = master_keys::retire_below(&mut writing.tx, below).await?;
        writing.commit(if retired { audit } else { &[] }).await?;
        Ok(retired)
    }
}
