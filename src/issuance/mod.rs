//! Certificates and requests: prepare, sign once, check what came back.
//!
//! Owns the serial number and the dates of a self-signed certificate, and the order of
//! the three steps. Does not own what certificates look like (`x509`), where the key
//! came from, or where the certificate goes.
//!
//! Invariants: each step uses up what the one before it made, so that a TBS is signed
//! once at most; nothing but [`check`] gives out a certificate, and it compares with the
//! public key that the caller knows, not with the one in the certificate.

use std::time::Duration;

use async_trait::async_trait;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::KeyPair;
use strongroom_domain::key::{CertificateDer, SerialNumber, Signature, SignatureAlgorithm, SpkiDer};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, SelfSigned, Tbs, public_key};

mod request;
#[cfg(test)]
mod tests;

pub use request::{PreparedRequest, prepare_request};

const DAY: Duration = Duration::from_secs(86_400);

/// A self-signed certificate to be made.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    pub names: CertificateNames,
    pub valid_days: u32,
    pub profile: CertificateProfile,
}

/// A certificate that only lacks its signature.
#[derive(Debug)]
pub struct Prepared {
    meant: SelfSigned,
    tbs: Tbs,
}

/// A certificate that nobody has looked at yet.
#[derive(Debug)]
pub struct Issued {
    meant: SelfSigned,
    certificate: CertificateDer,
}

/// The private half of the key that a certificate is for.
#[async_trait]
pub trait TbsSigner: Sync {
    /// Signs the TBS bytes (RFC 5280 section 4.1.1.3).
    async fn sign_tbs(&self, algorithm: SignatureAlgorithm, tbs: &[u8]) -> Result<Signature, Error>;
}

/// Gives a certificate its serial number and its dates: from this second on for
/// `valid_days` days of 86,400 seconds.
///
/// # Errors
/// `Invalid` when the values make no certificate: a subject with faults, an end after the
/// year 9999. `Internal` without random bytes.
pub fn prepare(
    spec: &CertificateSpec,
    signature_algorithm: SignatureAlgorithm,
    spki: SpkiDer,
    now: Timestamp,
) -> Result<Prepared, Error> {
    let not_before = now.truncate_to_seconds();
    let meant = SelfSigned {
        names: spec.names.clone(),
        serial: SerialNumber::new()?,
        not_before,
        not_after: not_before.plus(DAY.saturating_mul(spec.valid_days)),
        spki,
        signature_algorithm,
        profile: spec.profile,
    };
    let tbs = meant.tbs().map_err(|failure| {
        Error::new(ErrorKind::Invalid, "no certificate can say what was asked for").with_source(failure)
    })?;
    Ok(Prepared { meant, tbs })
}

/// Has the certificate signed, once.
///
/// # Errors
/// Those of the signer; `ProviderUnavailable` when its signature has the wrong form.
pub async fn issue(prepared: Prepared, signer: &dyn TbsSigner) -> Result<Issued, Error> {
    let Prepared { meant, tbs } = prepared;
    let signature = signer.sign_tbs(meant.signature_algorithm, tbs.bytes()).await?;
    let certificate = tbs.assemble(&signature).map_err(misbehaved)?;
    Ok(Issued { meant, certificate })
}

/// Gives out a certificate that says what was meant, names `spki`, and verifies with it.
///
/// # Errors
/// `ProviderUnavailable` when it does not: the provider signed wrongly.
pub fn check(issued: Issued, spki: &SpkiDer) -> Result<CertificateDer, Error> {
    let meant = SelfSigned { spki: spki.clone(), ..issued.meant };
    strongroom_formats::x509::check(&issued.certificate, &meant).map_err(misbehaved)?;
    Ok(issued.certificate)
}

/// Passes unless the stored certificate of a pair is one for another key.
///
/// # Errors
/// `Damaged`.
pub fn own_certificate(pair: &KeyPair) -> Result<(), Error> {
    let own = |leaf| public_key(leaf).is_ok_and(|certified| Some(certified) == pair.spki);
    if pair.leaf().is_none_or(own) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Damaged, "the stored certificate of the key pair is not for its key"))
}

fn misbehaved(failure: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::ProviderUnavailable, "the crypto provider is unavailable").with_source(failure)
}
