//! Declared connections together with their keys.
//!
//! Owns the changes of a connection: its document and the keys of its ring `connection:{id}` change in one
//! transaction. Does not own what a connection says (`settings`), which keys it is given (its dialect) or how
//! these are made (`lifecycle`).
//!
//! Invariants: no crash leaves a connection without the keys that it was declared with, or keys without their
//! connection; a change is made of the document in the revision that was read, whichever daemon changes it
//! too.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Caller, policy};
use crate::failpoint::{self, Failpoint};
use crate::services::lifecycle::{DocumentChanges, Keyring, RingChange, RingChanged};
use crate::services::settings::Connection;
use crate::store::{
    DocumentKind, DocumentPut, DocumentWrite, ExpectedDocument, KeyPairChange, PutOutcome, Store, StoreError,
};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Clock;
use strongroom_domain::error::{Error, ErrorKind, Field, FieldViolation, Reason};
use strongroom_domain::key::{RingId, RingKind};
use strongroom_formats::json::JsonObject;

const KIND: DocumentKind = DocumentKind::Connection;

/// How often a change is made anew of what others have made of the connection meanwhile.
const ATTEMPTS: u32 = 8;
/// Before the second attempt; longer before each further one.
const PAUSE: Duration = Duration::from_millis(25);

/// The change of a connection; an absent part stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    pub display_name: Option<String>,
    /// Takes the place of all options.
    pub options: Option<JsonObject>,
}

/// The service over declared connections.
pub struct Connections {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

impl Connections {
    /// A service over a store and the keyring over it.
    #[must_use]
    pub fn new(store: Arc<Store>, keyring: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self { store, keyring, clock }
    }

    /// Declares a connection, with its first keys where it shall have some; gives its id.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` when there is one of its name; what generation answers. Whenever there is an
    /// error, nothing was made.
    pub async fn declare(
        self: &Arc<Self>,
        who: &Caller,
        connection: Connection,
        keys: Option<RingChange>,
    ) -> Result<String, Error> {
        policy::allow(who, policy::Action::CreateConnection, policy::Resource::Daemon)?;
        let work = |service: Arc<Self>, who| async move { service.declare_here(&who, &connection, keys).await };
        self.keyring.detached.run_for(self, who, work).await
    }

    /// Changes a connection, and makes the keys that `first_keys` gives for what it says then, if it has none.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Conflict` while others change it again and again; what generation answers.
    /// Whenever there is an error, nothing was changed.
    pub async fn change(
        self: &Arc<Self>,
        who: &Caller,
        id: &str,
        change: ConnectionChange,
        first_keys: impl Fn(&Connection) -> Option<RingChange> + Send + Sync + 'static,
    ) -> Result<Connection, Error> {
        policy::allow(who, policy::Action::UpdateConnection, policy::Resource::Daemon)?;
        let id = id.to_owned();
        let work = |service: Arc<Self>, who| async move {
            for attempt in 1..=ATTEMPTS {
                match service.change_once(&who, &id, &change, &first_keys).await {
                    Err(failure) if is_overtaken(&failure) => tokio::time::sleep(PAUSE * attempt).await,
                    outcome => return outcome,
                }
            }
            Err(Error::new(ErrorKind::Conflict, "The connection is being changed by others; send the change again."))
        };
        self.keyring.detached.run_for(self, who, work).await
    }

    /// Deletes a connection and its keys, which are destroyed in their provider shortly afterwards.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Conflict` when its keys change meanwhile. Whenever there is an error, nothing was
    /// changed.
    pub async fn delete(self: &Arc<Self>, who: &Caller, id: &str) -> Result<(), Error> {
        let ring = ring(id)?;
        policy::allow(who, policy::Action::DeleteConnection, policy::Resource::Daemon)?;
        policy::allow(who, policy::Action::DeleteRing, &ring)?;
        let work = |service: Arc<Self>, who| async move { service.delete_here(&who, &ring).await };
        self.keyring.detached.run_for(self, who, work).await
    }

    /// Makes the first keys of a connection that is declared, as long as it is.
    ///
    /// # Errors
    /// Those of [`Keyring::change_ring`]; `NotFound` when the connection is deleted meanwhile.
    pub async fn make_keys(&self, who: &Caller, keys: RingChange) -> Result<RingChanged, Error> {
        let id = keys.ring.name().to_owned();
        let writes = vec![DocumentWrite::Require { kind: KIND, id: id.clone() }];
        let documents = DocumentChanges { writes, events: Vec::new() };
        let made = self.keyring.change_ring_and_documents(who, keys, documents).await;
        made.map_err(|failure| if is_changed_document(&failure) { not_found(&id) } else { failure })
    }

    async fn declare_here(
        &self,
        who: &Caller,
        connection: &Connection,
        keys: Option<RingChange>,
    ) -> Result<String, Error> {
        let id = Connection::id_of(&connection.name);
        let ring = ring(&id)?;
        let taken = || Error::new(ErrorKind::Conflict, "A connection with the same name already exists.");
        if self.store.document(KIND, &id).await?.is_some() {
            return Err(taken());
        }
        let (put, event) = self.put(who, connection, ExpectedDocument::None)?;
        // Keys that are there already become the connection's.
        let keys = if self.store.ring(&ring).await?.is_empty() { keys } else { None };
        let Some(keys) = keys else {
            return match self.store.keep_document(put, &[event]).await? {
                PutOutcome::Done => Ok(id),
                _ => Err(taken()),
            };
        };
        let documents = DocumentChanges { writes: vec![DocumentWrite::Put(put)], events: vec![event] };
        match self.keyring.change_ring_and_documents(who, keys, documents).await {
            Ok(_) => Ok(id),
            Err(failure) if is_taken(&failure) => {
                // Another request is making the keys, or has made them and so declared it.
                let there = self.store.document(KIND, &id).await?.is_some();
                let begun = "The connection is being declared by another request.";
                Err(if there { taken() } else { Error::new(ErrorKind::Conflict, begun) }.with_source(failure))
            }
            Err(failure) if matches!(failure.source_as(), Some(StoreError::DocumentExists)) => {
                Err(taken().with_source(failure))
            }
            Err(failure) => Err(failure),
        }
    }

    /// One attempt to change a connection.
    async fn change_once(
        &self,
        who: &Caller,
        id: &str,
        change: &ConnectionChange,
        first_keys: &(impl Fn(&Connection) -> Option<RingChange> + Send + Sync),
    ) -> Result<Connection, Error> {
        let found = self.store.document_revision(KIND, id).await?;
        let (document, revision) = found.ok_or_else(|| not_found(id))?;
        let mut connection = Connection::of(&document)?;
        connection.display_name = change.display_name.clone().or(connection.display_name);
        connection.options = change.options.clone().unwrap_or(connection.options);
        let (put, event) = self.put(who, &connection, ExpectedDocument::Revision(revision))?;
        let keys = first_keys(&connection);
        let keys = if keys.is_some() && self.store.ring(&ring(id)?).await?.is_empty() { keys } else { None };
        match keys {
            Some(keys) => {
                let documents = DocumentChanges { writes: vec![DocumentWrite::Put(put)], events: vec![event] };
                self.keyring.change_ring_and_documents(who, keys, documents).await?;
            }
            None => match self.store.keep_document(put, &[event]).await? {
                PutOutcome::Done => {}
                _ => return Err(StoreError::DocumentChanged.into()),
            },
        }
        Ok(connection)
    }

    async fn delete_here(&self, who: &Caller, ring: &RingId) -> Result<(), Error> {
        let (id, now) = (ring.name(), self.clock.now());
        if self.store.document(KIND, id).await?.is_none() {
            return Err(not_found(id));
        }
        let keys = self.store.ring(ring).await?;
        let removal = self.event(who, Action::SettingsRemoved, format!("{} {id}", KIND.name()));
        if keys.is_empty() {
            let found = self.store.delete_document(KIND, id, &[removal]).await?;
            return if found { Ok(()) } else { Err(not_found(id)) };
        }
        let (moves, mut events): (_, Vec<Event>) =
            keys.iter().map(|pair| self.keyring.deletion(who, pair, now)).unzip();
        events.push(removal);
        let change = KeyPairChange {
            moves,
            documents: vec![DocumentWrite::Remove { kind: KIND, id: id.to_owned() }],
            ..KeyPairChange::default()
        };
        match self.keyring.commit_change(change, events).await {
            Err(StoreError::DocumentChanged) => return Err(not_found(id)),
            outcome => outcome?,
        };
        // A crash from here on loses nothing; a failure can no longer be answered.
        let _ = failpoint::hit(Failpoint::ConnectionDelete).await;
        Ok(())
    }

    /// A connection's document, and the event of its change. The audit trail has no options: they are their
    /// owner's, and may be anything.
    fn put(
        &self,
        who: &Caller,
        connection: &Connection,
        expected: ExpectedDocument,
    ) -> Result<(DocumentPut, Event), Error> {
        let document = connection.document(self.clock.now())?;
        let detail = format!("{} {} {} {}", KIND.name(), document.id, connection.strategy, connection.name);
        let event = self.event(who, Action::SettingsChanged, detail);
        Ok((DocumentPut { document, references: Vec::new(), claims: Vec::new(), expected }, event))
    }

    fn event(&self, who: &Caller, action: Action, detail: String) -> Event {
        let (at, principal) = (self.clock.now(), who.name().to_owned());
        Event { at, principal, action, key: None, ring: None, detail, request_id: who.request_id() }
    }
}

/// The ring of the keys of a connection.
fn ring(id: &str) -> Result<RingId, Error> {
    RingId::new(RingKind::Connection, id).map_err(|_| not_found(id))
}

/// Whether somebody else has changed the connection, or makes its keys, since it was read.
fn is_overtaken(failure: &Error) -> bool {
    is_changed_document(failure) || is_taken(failure)
}

fn is_changed_document(failure: &Error) -> bool {
    matches!(failure.source_as(), Some(StoreError::DocumentChanged))
}

/// Whether the ring has keys already.
fn is_taken(failure: &Error) -> bool {
    let taken = |found: &FieldViolation| matches!(found.reason, Reason::IdInUse(_)) && found.field == Field::RingId;
    failure.field_violations().iter().any(taken)
}

fn not_found(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no {} {id}", KIND.name()))
}
