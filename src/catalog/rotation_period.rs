//! Rotation periods: how often the key of a ring is succeeded by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Catalog, Change, Place, not_found, read};
use crate::auth::{Principal, Scope};
use crate::error::Error;
use crate::key::RingId;
use crate::store::{DocumentKind, Put};

const KIND: DocumentKind = DocumentKind::RotationPeriod;

/// The document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body {
    period_seconds: u64,
}

impl Catalog {
    /// How often the key of a ring is succeeded by itself.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when no period was set for the ring.
    pub async fn rotation_period(&self, who: &Principal, ring: &RingId) -> Result<Duration, Error> {
        who.require(Scope::Read)?;
        let id = ring.to_string();
        let document = self.store.document(KIND, &id).await?;
        let body: Body = read(&document.ok_or_else(|| not_found(KIND, &id))?)?;
        Ok(Duration::from_secs(body.period_seconds))
    }

    /// Sets how often the key of a ring with an Active key is succeeded by itself, in whole seconds.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn put_rotation_period(
        &self,
        who: &Principal,
        ring: &RingId,
        period: Duration,
        request_id: Option<String>,
    ) -> Result<(), Error> {
        who.require(Scope::Manage)?;
        let id = ring.to_string();
        let body = Body { period_seconds: period.as_secs() };
        match self.put(Change { who, kind: KIND, id: &id, request_id }, &body, Place::default()).await? {
            Put::Done => Ok(()),
            Put::NoSuchRing(_) | Put::Exists => Err(not_found(KIND, &id)),
        }
    }

    /// Removes the period of a ring: that of the configuration holds again.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_rotation_period(
        &self,
        who: &Principal,
        ring: &RingId,
        request_id: Option<String>,
    ) -> Result<(), Error> {
        who.require(Scope::Manage)?;
        self.remove(Change { who, kind: KIND, id: &ring.to_string(), request_id }).await
    }
}
