//! Keys and certificates that come from outside or go there: import, link, export, request
//! and response.

use super::{ExportedKeyPair, ImportKeyPair, Keyring, LinkKeyPair, Made};
use crate::auth::Principal;
use crate::error::{Error, Kind};
use crate::key::{CertificateDer, KeyPair, RingId};

impl Keyring {
    /// Brings a key pair in and commits it as the Active key of a new ring.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`], and `Invalid` at `fileData` when the provider refuses the key.
    pub async fn import(&self, _who: &Principal, _new: ImportKeyPair) -> Result<Made, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Takes a key that is already in the token as the Active key of a new ring.
    ///
    /// # Errors
    /// Those of [`Keyring::generate`]; `Invalid` at `privateKeyId` when no single usable key
    /// matches or it is linked already, at `certificateData` when its key is another.
    pub async fn link(&self, _who: &Principal, _new: LinkKeyPair) -> Result<Made, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Gives out the Active key pair of a ring, private half included.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `NotExportable` for keys in a token.
    pub async fn export(
        &self,
        _who: &Principal,
        _ring: &RingId,
        _request_id: Option<String>,
    ) -> Result<ExportedKeyPair, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// A certification request (PKCS#10 in DER) for the Active key of a ring, signed by it.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, what the provider answers.
    pub async fn certification_request(&self, _who: &Principal, _ring: &RingId) -> Result<Vec<u8>, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Replaces the certificates of a ring's Active key, leaf first.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid` at `fileData` when the leaf's key is another.
    pub async fn replace_certificates(
        &self,
        _who: &Principal,
        _ring: &RingId,
        _chain: Vec<CertificateDer>,
        _request_id: Option<String>,
    ) -> Result<KeyPair, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }
}
