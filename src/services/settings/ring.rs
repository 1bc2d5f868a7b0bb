//! Settings of rings, and what documents make of the keys of one.

use serde::{Deserialize, Serialize};

use super::ring_documents::RingDocument;
use super::{Catalog, read};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, Store};
use strongroom_domain::error::{Error, Field, Reason};
use strongroom_domain::key::{RingId, RingKind};

/// What an operator decides about a ring; also the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RingSettings {
    /// Whether its keys sign whatever callers bring, and not only JWS.
    pub raw_sign: bool,
}

impl RingDocument for RingSettings {
    const KIND: DocumentKind = DocumentKind::RingSettings;
}

impl Catalog {
    /// The settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when the ring has none.
    pub async fn ring_settings(&self, who: &Caller, ring: &RingId) -> Result<RingSettings, Error> {
        self.ring_document(who, ring).await
    }

    /// Keeps the settings of a ring that has an Active key.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid` at raw signing for rings that serve TLS.
    pub async fn put_ring_settings(&self, who: &Caller, ring: &RingId, settings: RingSettings) -> Result<(), Error> {
        // Who may change nothing is told so before any value is judged.
        policy::allow(who, policy::Action::ChangeSettings, ring)?;
        if settings.raw_sign && serves_tls(ring) {
            return Err(Error::refused(Field::RawSigning, Reason::TlsOnly));
        }
        self.put_ring_document(who, ring, &settings).await
    }

    /// Removes the settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_ring_settings(&self, who: &Caller, ring: &RingId) -> Result<(), Error> {
        self.remove_ring_document::<RingSettings>(who, ring).await
    }
}

/// Whether keys of a ring sign what callers bring: as its settings say, else unless they are
/// published in a key set, where whoever can have any bytes signed could forge tokens.
///
/// # Errors
/// Those of the store.
pub async fn signs_raw(store: &Store, ring: &RingId) -> Result<bool, Error> {
    let published = match ring.kind() {
        RingKind::SslServer | RingKind::SslClient => return Ok(false),
        RingKind::Connection | RingKind::WebKeys => true,
        RingKind::Signing => store.referring_documents(ring).await?.iter().any(|(kind, _)| publishes(*kind)),
    };
    let settings = store.document(RingSettings::KIND, &ring.to_string()).await?;
    let settings: Option<RingSettings> = settings.as_ref().map(read).transpose()?;
    Ok(settings.map_or(!published, |settings| settings.raw_sign))
}

/// Whether the keys of the rings that such a document refers to are in a key set.
const fn publishes(kind: DocumentKind) -> bool {
    match kind {
        DocumentKind::OidcSettings | DocumentKind::AdditionalKeySet | DocumentKind::Connection => true,
        DocumentKind::SslSettings
        | DocumentKind::RotationSettings
        | DocumentKind::TrustedCa
        | DocumentKind::RotationPeriod
        | DocumentKind::RingSettings => false,
    }
}

const fn serves_tls(ring: &RingId) -> bool {
    matches!(ring.kind(), RingKind::SslServer | RingKind::SslClient)
}
