//! Rotation periods: how often the key of a ring is succeeded by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Catalog;
use super::ring_documents::RingDocument;
use crate::auth::Caller;
use crate::store::DocumentKind;
use strongroom_domain::error::Error;
use strongroom_domain::key::RingId;

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    period_seconds: u64,
}

impl RingDocument for Body {
    const KIND: DocumentKind = DocumentKind::RotationPeriod;
}

impl Catalog {
    /// How often the key of a ring is succeeded by itself.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when no period was set for the ring.
    pub async fn rotation_period(&self, who: &Caller, ring: &RingId) -> Result<Duration, Error> {
        let body: Body = self.ring_document(who, ring).await?;
        Ok(Duration::from_secs(body.period_seconds))
    }

    /// Sets how often the key of a ring with an Active key is succeeded by itself, in whole seconds.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn put_rotation_period(&self, who: &Caller, ring: &RingId, period: Duration) -> Result<(), Error> {
        self.put_ring_document(who, ring, &Body { period_seconds: period.as_secs() }).await
    }

    /// Removes the period of a ring: that of the configuration holds again.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_rotation_period(&self, who: &Caller, ring: &RingId) -> Result<(), Error> {
        self.remove_ring_document::<Body>(who, ring).await
    }
}
