//! Connections that were declared: their names, strategies and options.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{Catalog, DocumentChange, not_found, read, unreadable};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, PutOutcome, StoredDocument};
use strongroom_domain::audit::Action;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{RingId, RingKind};
use strongroom_formats::json::JsonObject;

const KIND: DocumentKind = DocumentKind::Connection;

/// A connection; its keys are those of the ring `connection:{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// Unique, and the same for its whole life.
    pub name: String,
    pub strategy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What its dialect knows of it.
    pub options: JsonObject,
}

impl Connection {
    /// The id of the connection of a name: `con_` and 16 letters and digits, 95 bits of its SHA-256. It follows
    /// from the name, so that the store, which keeps ids apart, keeps names apart too.
    #[must_use]
    pub fn id_of(name: &str) -> String {
        const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut rest = digest(&SHA256, name.as_bytes())
            .as_ref()
            .iter()
            .take(16)
            .fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        let mut id = "con_".to_owned();
        for _ in 0..16 {
            let digit = usize::try_from(rest % 62).ok().and_then(|digit| ALPHABET.get(digit));
            id.push(digit.copied().map_or('0', char::from));
            rest /= 62;
        }
        id
    }
}

impl Catalog {
    /// A declared connection.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when there is none of this id.
    pub async fn connection(&self, who: &Caller, id: &str) -> Result<Connection, Error> {
        let ring = RingId::new(RingKind::Connection, id);
        let resource = ring.as_ref().map_or(policy::Resource::Daemon, policy::Resource::Ring);
        policy::allow(who, policy::Action::ReadConnection, resource)?;
        read(&self.store.document(KIND, id).await?.ok_or_else(|| not_found(KIND, id))?)
    }

    /// Every declared connection with its id, by id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn connections(&self, who: &Caller) -> Result<Vec<(String, Connection)>, Error> {
        policy::allow(who, policy::Action::ReadConnection, policy::Resource::Daemon)?;
        let documents = self.store.documents(KIND).await?;
        documents.into_iter().map(|document| Ok((document.id.clone(), read(&document)?))).collect()
    }

    /// The ring of the connection of a name, declared or not: an undeclared one is named by its id. Anybody may
    /// ask; whether the ring has keys is for the keyring to say.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn connection_by_name(&self, name: &str) -> Result<Option<RingId>, Error> {
        let id = Connection::id_of(name);
        let declared = self.store.document(KIND, &id).await?.is_some();
        Ok(RingId::new(RingKind::Connection, if declared { &id } else { name }).ok())
    }

    /// Adds a connection; gives its id.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when there is one of its name.
    pub async fn add_connection(&self, who: &Caller, connection: &Connection) -> Result<String, Error> {
        policy::allow(who, policy::Action::CreateConnection, policy::Resource::Daemon)?;
        let id = Connection::id_of(&connection.name);
        match self.keep_connection(DocumentChange { who, kind: KIND, id: &id }, connection, true).await? {
            PutOutcome::Exists => {
                Err(Error::new(ErrorKind::Conflict, "A connection with the same name already exists."))
            }
            PutOutcome::Done | PutOutcome::NoSuchRing(_) => Ok(id),
        }
    }

    /// Keeps what a connection says now.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn put_connection(&self, who: &Caller, connection: &Connection) -> Result<(), Error> {
        policy::allow(who, policy::Action::UpdateConnection, policy::Resource::Daemon)?;
        let id = Connection::id_of(&connection.name);
        self.keep_connection(DocumentChange { who, kind: KIND, id: &id }, connection, false).await.map(drop)
    }

    /// Removes a connection; its keys are the keyring's to delete, before.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when there is none of this id.
    pub async fn delete_connection(&self, who: &Caller, id: &str) -> Result<(), Error> {
        policy::allow(who, policy::Action::DeleteConnection, policy::Resource::Daemon)?;
        self.remove(DocumentChange { who, kind: KIND, id }).await
    }

    /// The audit trail has no options: they are their owner's, and may be anything.
    async fn keep_connection(
        &self,
        change: DocumentChange<'_>,
        connection: &Connection,
        new: bool,
    ) -> Result<PutOutcome, Error> {
        let body = serde_json::to_string(connection).map_err(unreadable)?;
        let detail = format!("{} {} {}", change.what(), connection.strategy, connection.name);
        let event = self.event(Action::SettingsChanged, &change, detail);
        let document = StoredDocument { kind: KIND, id: change.id.to_owned(), body, updated_at: self.clock.now() };
        Ok(self.store.put_document(document, &[], new, &[event]).await?)
    }
}
