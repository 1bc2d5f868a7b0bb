//! Reading of files that come from outside: key files, certificates of keys in a token, answers of a CA.
//!
//! All of it may be hostile and is work for the pool of key files.

use std::time::Duration;

use super::{Capabilities, ImportKeyPair};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Field, FieldViolation, Reason};
use strongroom_domain::key::{CertificateDer, ProviderKind, RingId, SpkiDer};
use strongroom_domain::secret::Secret;
use strongroom_formats::keyfile::{self, KeyFileError, KeyFileFormat};
use strongroom_formats::x509::{
    CertificateSummary, certificates, chain_among, chain_for, check_readable, check_trust, public_key,
};

/// A key file with its password.
#[derive(Debug)]
pub struct KeyFile {
    pub data: Secret,
    /// Found out when absent.
    pub format: Option<KeyFileFormat>,
    pub password: Secret,
}

impl ImportKeyPair {
    /// Reads the key pair of a file that goes to a provider as a new ring.
    ///
    /// # Errors
    /// A violation at the key file or its password.
    pub fn from_file(
        file: &KeyFile,
        ring: RingId,
        (provider, capabilities): (ProviderKind, Option<&Capabilities>),
        deadline: Duration,
    ) -> Result<Self, FieldViolation> {
        let found = keyfile::read(file.data.expose(), file.format, &file.password).map_err(file_refused)?;
        let certificates = chain_among(found.certificates, &found.spki).map_err(unusable(Field::KeyFile))?;
        require_readable(&certificates, Field::KeyFile)?;
        let signature_algorithm = found.algorithm.default_signature_algorithm();
        let permitted = Capabilities::permitted(capabilities, found.algorithm, signature_algorithm);
        if !permitted.contains(&signature_algorithm) {
            let able = capabilities.into_iter().flat_map(|able| &able.algorithms);
            let able = able.map(|(algorithm, _)| *algorithm).collect();
            return Err(FieldViolation { field: Field::KeyFile, reason: Reason::KeyNotSupported(able) });
        }
        Ok(Self {
            ring,
            provider,
            algorithm: found.algorithm,
            signature_algorithm,
            permitted,
            pkcs8: found.pkcs8,
            spki: found.spki,
            certificates,
            deadline,
        })
    }
}

/// Reads the certificates of a key in the token: the first, then its issuers in order.
///
/// # Errors
/// A violation at the certificates.
pub fn linked_certificates(data: &[u8]) -> Result<Vec<CertificateDer>, FieldViolation> {
    let found = certificates(data).and_then(|found| match found.first().map(public_key) {
        Some(key) => chain_for(found, &key?),
        None => Ok(found),
    });
    let chain = found.map_err(unusable(Field::LinkedCertificates))?;
    require_readable(&chain, Field::LinkedCertificates)?;
    Ok(chain)
}

/// Reads the answer of a CA for a key: its certificate, then its issuers in order. With `anchors`, the chain must
/// end at one of them. Verifies up to dozens of signatures.
///
/// # Errors
/// A violation at the certificates.
pub fn issued_certificates(
    data: &[u8],
    key: Option<&SpkiDer>,
    anchors: Option<&[CertificateDer]>,
    now: Timestamp,
) -> Result<Vec<CertificateDer>, FieldViolation> {
    let refused = |why| FieldViolation { field: Field::IssuedCertificates, reason: Reason::CertificateUnusable(why) };
    let sent = certificates(data).map_err(unusable(Field::IssuedCertificates))?;
    let key = key.ok_or_else(|| refused("the key pair has no public key".to_owned()))?;
    let chain = chain_for(sent, key).map_err(unusable(Field::IssuedCertificates))?;
    require_readable(&chain, Field::IssuedCertificates)?;
    if let Some(leaf) = chain.first() {
        let summary = CertificateSummary::of(leaf).map_err(unusable(Field::IssuedCertificates))?;
        if summary.not_after < now {
            return Err(refused(format!("the certificate expired at {}", summary.not_after)));
        }
    }
    if let Some(anchors) = anchors {
        check_trust(&chain, anchors, now).map_err(unusable(Field::IssuedCertificates))?;
    }
    Ok(chain)
}

/// Passes when every view can show the certificates, so that nothing is kept that cannot be shown afterwards.
pub(super) fn require_readable(chain: &[CertificateDer], field: Field) -> Result<(), FieldViolation> {
    check_readable(chain).map_err(unusable(field))
}

fn unusable<E: std::fmt::Display>(field: Field) -> impl FnOnce(E) -> FieldViolation {
    move |why| FieldViolation { field, reason: Reason::CertificateUnusable(why.to_string()) }
}

fn file_refused(why: KeyFileError) -> FieldViolation {
    let (field, reason) = match why {
        KeyFileError::WrongPassword => (Field::KeyFilePassword, Reason::WrongPassword),
        KeyFileError::Malformed(text) | KeyFileError::UnsupportedKey(text) => {
            (Field::KeyFile, Reason::FileUnreadable(text))
        }
        KeyFileError::Excessive(text) => (Field::KeyFile, Reason::FileExcessive(text)),
    };
    FieldViolation { field, reason }
}
