//! Rotation settings: when and how the key of a ring is succeeded.

use serde::{Deserialize, Serialize};

use super::ring_documents::RingDocument;
use super::{Catalog, read, unreadable};
use crate::auth::{Caller, policy};
use crate::store::DocumentKind;
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyAlgorithm, RingId, SignatureAlgorithm};

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

impl RingDocument for Body {
    const KIND: DocumentKind = DocumentKind::RotationSettings;
}

impl Catalog {
    /// The rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when the ring has none.
    pub async fn rotation_settings(&self, who: &Caller, ring: &RingId) -> Result<RotationSettings, Error> {
        settings(&self.ring_document(who, ring).await?)
    }

    /// The rotation settings of every ring that has some.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn all_rotation_settings(&self, who: &Caller) -> Result<Vec<(RingId, RotationSettings)>, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        let documents = self.store.documents(Body::KIND).await?;
        documents
            .iter()
            .map(|document| Ok((document.id.parse().map_err(unreadable)?, settings(&read(document)?)?)))
            .collect()
    }

    /// Keeps the rotation settings of a ring that has an Active key.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn put_rotation_settings(
        &self,
        who: &Caller,
        ring: &RingId,
        settings: RotationSettings,
    ) -> Result<(), Error> {
        let body = Body {
            creation_buffer_days: settings.creation_buffer_days,
            activation_buffer_days: settings.activation_buffer_days,
            valid_days: settings.valid_days,
            algorithm: settings.algorithm.name().to_owned(),
            signature_algorithm: settings.signature_algorithm.jca_name().to_owned(),
        };
        self.put_ring_document(who, ring, &body).await
    }

    /// Removes the rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_rotation_settings(&self, who: &Caller, ring: &RingId) -> Result<(), Error> {
        self.remove_ring_document::<Body>(who, ring).await
    }
}

fn settings(body: &Body) -> Result<RotationSettings, Error> {
    Ok(RotationSettings {
        creation_buffer_days: body.creation_buffer_days,
        activation_buffer_days: body.activation_buffer_days,
        valid_days: body.valid_days,
        algorithm: KeyAlgorithm::from_name(&body.algorithm).ok_or_else(|| unreadable("an unknown key algorithm"))?,
        signature_algorithm: SignatureAlgorithm::from_jca_name(&body.signature_algorithm)
            .ok_or_else(|| unreadable("an unknown signature algorithm"))?,
    })
}
