//! Rotation settings: when and how the key of a ring is succeeded.

use serde::{Deserialize, Serialize};

use super::{Catalog, Change, Place, not_found, read, unreadable};
use crate::auth::{Principal, Scope};
use crate::error::Error;
use crate::key::{KeyAlgorithm, RingId, SignatureAlgorithm};
use crate::store::{Document, DocumentKind, Put};

const KIND: DocumentKind = DocumentKind::RotationSettings;

/// When and how the key of a ring is succeeded; every value filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationSettings {
    /// Days before expiry when the successor is created.
    pub creation_buffer_days: u32,
    /// Days before expiry when the successor becomes active.
    pub activation_buffer_days: u32,
    /// The successor's validity in days.
    pub valid_days: u32,
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
}

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    creation_buffer_days: u32,
    activation_buffer_days: u32,
    valid_days: u32,
    algorithm: String,
    signature_algorithm: String,
}

impl Catalog {
    /// The rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when the ring has none.
    pub async fn rotation_settings(&self, who: &Principal, ring: &RingId) -> Result<RotationSettings, Error> {
        who.require(Scope::Read)?;
        let id = ring.to_string();
        let document = self.store.document(KIND, &id).await?;
        settings(&document.ok_or_else(|| not_found(KIND, &id))?)
    }

    /// The rotation settings of every ring that has some.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn all_rotation_settings(&self, who: &Principal) -> Result<Vec<(RingId, RotationSettings)>, Error> {
        who.require(Scope::Read)?;
        let documents = self.store.documents(KIND).await?;
        documents.iter().map(|document| Ok((document.id.parse().map_err(unreadable)?, settings(document)?))).collect()
    }

    /// Keeps the rotation settings of a ring that has an Active key.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn put_rotation_settings(
        &self,
        who: &Principal,
        ring: &RingId,
        settings: RotationSettings,
        request_id: Option<String>,
    ) -> Result<(), Error> {
        who.require(Scope::Manage)?;
        let id = ring.to_string();
        let body = Body {
            creation_buffer_days: settings.creation_buffer_days,
            activation_buffer_days: settings.activation_buffer_days,
            valid_days: settings.valid_days,
            algorithm: settings.algorithm.name().to_owned(),
            signature_algorithm: settings.signature_algorithm.jca_name().to_owned(),
        };
        match self.put(Change { who, kind: KIND, id: &id, request_id }, &body, Place::default()).await? {
            Put::Done => Ok(()),
            Put::NoSuchRing(_) | Put::Exists => Err(not_found(KIND, &id)),
        }
    }

    /// Removes the rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_rotation_settings(
        &self,
        who: &Principal,
        ring: &RingId,
        request_id: Option<String>,
    ) -> Result<(), Error> {
        who.require(Scope::Manage)?;
        self.remove(Change { who, kind: KIND, id: &ring.to_string(), request_id }).await
    }
}

fn settings(document: &Document) -> Result<RotationSettings, Error> {
    let body: Body = read(document)?;
    Ok(RotationSettings {
        creation_buffer_days: body.creation_buffer_days,
        activation_buffer_days: body.activation_buffer_days,
        valid_days: body.valid_days,
        algorithm: KeyAlgorithm::from_name(&body.algorithm).ok_or_else(|| unreadable("an unknown key algorithm"))?,
        signature_algorithm: SignatureAlgorithm::from_jca_name(&body.signature_algorithm)
            .ok_or_else(|| unreadable("an unknown signature algorithm"))?,
    })
}
