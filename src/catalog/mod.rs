//! Documents with typed references to rings: rotation settings, SSL settings, trusted CAs.
//!
//! Owns what these documents say, their rules, and who may change them. Does not own the
//! key pairs that they refer to (`keyring`) or the engine that acts on rotation settings.
//!
//! Invariants: a document refers only to rings that are there; what is referred to cannot
//! be deleted (the store refuses it in the transaction of the deletion).

use std::sync::Arc;

use crate::auth::Principal;
use crate::clock::Clock;
use crate::error::{Error, Kind};
use crate::key::{CertificateDer, KeyAlgorithm, RingId, SignatureAlgorithm};
use crate::store::Store;

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

/// Which `sslServer:` rings serve TLS; names without the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SslSettings {
    pub runtime_server: Option<String>,
    pub admin_console: Option<String>,
    pub active_runtime_server: Vec<String>,
    pub active_admin_console: Vec<String>,
}

/// A trusted certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCa {
    pub id: String,
    pub certificate: CertificateDer,
}

/// The service over documents.
pub struct Catalog {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Catalog {
    /// A service over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when the ring has none.
    pub async fn rotation_settings(&self, _who: &Principal, _ring: &RingId) -> Result<RotationSettings, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// The rotation settings of every ring that has some.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn all_rotation_settings(&self, _who: &Principal) -> Result<Vec<(RingId, RotationSettings)>, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Keeps the rotation settings of a ring that has an Active key.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn put_rotation_settings(
        &self,
        _who: &Principal,
        _ring: &RingId,
        _settings: RotationSettings,
        _request_id: Option<String>,
    ) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Removes the rotation settings of a ring.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it has none.
    pub async fn delete_rotation_settings(
        &self,
        _who: &Principal,
        _ring: &RingId,
        _request_id: Option<String>,
    ) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// The SSL settings; empty until they were kept once.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn ssl_settings(&self, _who: &Principal) -> Result<SslSettings, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Keeps the SSL settings.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` naming the field (`runtimeServerCertRef.id`,
    /// `activeRuntimeServerCerts[n].id`, ...) of an id that is no SSL server key pair.
    pub async fn put_ssl_settings(
        &self,
        _who: &Principal,
        _settings: SslSettings,
        _request_id: Option<String>,
    ) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Every trusted CA, by id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn trusted_cas(&self, _who: &Principal) -> Result<Vec<TrustedCa>, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Trusts a CA.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` when the id is taken.
    pub async fn add_trusted_ca(
        &self,
        _who: &Principal,
        _ca: TrustedCa,
        _request_id: Option<String>,
    ) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Trusts a CA no longer.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete_trusted_ca(
        &self,
        _who: &Principal,
        _id: &str,
        _request_id: Option<String>,
    ) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }
}
