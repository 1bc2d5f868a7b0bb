//! Documents with typed references to rings: settings of rings, of their rotation, of SSL, of OAuth and
//! `OpenID` Connect; connections; trusted CAs.
//!
//! Owns what these documents say, their rules, and who may change them. Does not own the key pairs that
//! they refer to (`lifecycle`) or the engine that acts on rotation settings.
//!
//! Invariants: a document refers only to rings that are there; what is referred to cannot be deleted
//! (the store refuses it in the transaction of the deletion); a document that says more than this
//! program knows is not read.

mod connections;
mod oidc;
mod oidc_rules;
mod ring;
mod ring_documents;
mod rotation;
mod rotation_period;
mod ssl;
#[cfg(test)]
mod tests;
mod trusted;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::auth::Caller;
use crate::auth::policy::{self, Resource};
use crate::store::{DocumentKind, PutOutcome, Store, StoredDocument};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Clock;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::RingId;

pub use connections::Connection;
pub use oidc::{AdditionalKeySet, OidcGroup, OidcKey, OidcKeys, OidcSettings};
pub use ring::{RingSettings, signs_raw};
pub use rotation::RotationSettings;
pub use ssl::SslSettings;
pub use trusted::TrustedCa;

/// The service over documents.
pub struct Catalog {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// Held by whoever changes an additional key set.
    key_sets: Mutex<()>,
}

impl Catalog {
    /// A service over a store.
    #[must_use]
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, key_sets: Mutex::default() }
    }

    async fn put<T: Serialize + Sync>(
        &self,
        change: DocumentChange<'_>,
        body: &T,
        place: DocumentReferences<'_>,
    ) -> Result<PutOutcome, Error> {
        let body = serde_json::to_string(body).map_err(unreadable)?;
        let event = self.event(Action::SettingsChanged, &change, format!("{} {body}", change.what()));
        let document =
            StoredDocument { kind: change.kind, id: change.id.to_owned(), body, updated_at: self.clock.now() };
        Ok(self.store.put_document(document, place.references, place.new, &[event]).await?)
    }

    /// Removes a document; `NotFound` when there is none.
    async fn remove(&self, change: DocumentChange<'_>) -> Result<(), Error> {
        let event = self.event(Action::SettingsRemoved, &change, change.what());
        let found = self.store.delete_document(change.kind, change.id, &[event]).await?;
        if found { Ok(()) } else { Err(not_found(change.kind, change.id)) }
    }

    fn event(&self, action: Action, change: &DocumentChange<'_>, detail: String) -> Event {
        Event {
            at: self.clock.now(),
            principal: change.who.name().to_owned(),
            action,
            key: None,
            ring: change.kind.is_of_a_ring().then(|| change.id.parse().ok()).flatten(),
            detail,
            request_id: change.who.request_id(),
        }
    }
}

/// Asks whether a caller may change settings of the daemon that refer to these rings.
fn allow_change(who: &Caller, rings: impl IntoIterator<Item = RingId>) -> Result<(), Error> {
    policy::allow(who, policy::Action::ChangeSettings, Resource::Daemon)?;
    for ring in rings {
        policy::allow(who, policy::Action::ChangeSettings, &ring)?;
    }
    Ok(())
}

/// A change of a document, with its author.
struct DocumentChange<'a> {
    who: &'a Caller,
    kind: DocumentKind,
    id: &'a str,
}

impl DocumentChange<'_> {
    fn what(&self) -> String {
        format!("{} {}", self.kind.name(), self.id)
    }
}

/// References of a document, and whether it must be new.
#[derive(Default)]
struct DocumentReferences<'a> {
    references: &'a [RingId],
    /// It must not be there yet.
    new: bool,
}

fn read<T: DeserializeOwned>(document: &StoredDocument) -> Result<T, Error> {
    serde_json::from_str(&document.body).map_err(unreadable)
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Internal, "internal error").with_source(cause)
}

fn not_found(kind: DocumentKind, id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no {} {id}", kind.name()))
}
