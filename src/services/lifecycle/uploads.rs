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
    CertificateSummary, Chain, ChainError, ChainWanted, Untrusted, certificates, chain_among, chain_for, chains_for,
    check_interoperable, check_readable, check_trust, public_key,
};

/// Characters of a hint that are kept.
const LONGEST_HINT: usize = 64;

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
        now: Timestamp,
    ) -> Result<Self, FieldViolation> {
        let found = keyfile::read(file.data.expose(), file.format, &file.password).map_err(file_refused)?;
        let wanted = ChainWanted { spki: &found.spki, leaf: found.leaf.as_ref(), now };
        let chain = chain_among(found.certificates, &wanted).map_err(unusable(Field::KeyFile))?;
        require_readable(&chain.certificates, Field::KeyFile)?;
        let Chain { certificates, remarks } = remarked(chain);
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
            remarks,
            hint: found.friendly_name.map(|name| name.chars().take(LONGEST_HINT).collect()),
            deadline,
        })
    }
}

/// Reads the certificates of a key in the token: the first, then its issuers in order.
///
/// # Errors
/// A violation at the certificates.
pub fn linked_certificates(data: &[u8], now: Timestamp) -> Result<Chain, FieldViolation> {
    let found = certificates(data).map_err(unusable(Field::LinkedCertificates))?;
    let none = || ChainError("there is no certificate in it".to_owned());
    let leaf = found.first().cloned().ok_or_else(none).map_err(unusable(Field::LinkedCertificates))?;
    let spki = public_key(&leaf).map_err(unusable(Field::LinkedCertificates))?;
    let wanted = ChainWanted { spki: &spki, leaf: Some(&leaf), now };
    let chain = chain_for(found, &wanted).map_err(unusable(Field::LinkedCertificates))?;
    require_readable(&chain.certificates, Field::LinkedCertificates)?;
    Ok(remarked(chain))
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
) -> Result<Chain, FieldViolation> {
    let refused = |why| FieldViolation { field: Field::IssuedCertificates, reason: Reason::CertificateUnusable(why) };
    let sent = certificates(data).map_err(unusable(Field::IssuedCertificates))?;
    let spki = key.ok_or_else(|| refused("the key pair has no public key".to_owned()))?;
    let ways = chains_for(sent, &ChainWanted { spki, leaf: None, now }).map_err(unusable(Field::IssuedCertificates))?;
    let best = ways.first().ok_or_else(|| refused("there is no certificate in it".to_owned()))?;
    require_readable(&best.certificates, Field::IssuedCertificates)?;
    if let Some(leaf) = best.certificates.first() {
        let summary = CertificateSummary::of(leaf).map_err(unusable(Field::IssuedCertificates))?;
        if summary.not_after < now {
            return Err(refused(format!("the certificate expired at {}", summary.not_after)));
        }
    }
    let Some(anchors) = anchors else { return Ok(remarked(best.clone())) };
    let trust = |chain: &Chain| check_trust(&chain.certificates, anchors, now);
    let Some(trusted) = ways.iter().find(|chain| trust(chain).is_ok()) else {
        return Err(refused(match trust(best) {
            Err(why @ Untrusted::Unverified { .. }) => {
                format!("{why}, and the policy require-trusted-issuer asks for it")
            }
            Err(Untrusted::Flawed(why)) => why,
            Ok(()) => "its issuer is none of the trusted certificate authorities".to_owned(),
        }));
    };
    require_readable(&trusted.certificates, Field::IssuedCertificates)?;
    Ok(remarked(trusted.clone()))
}

/// The chain, with a remark where key sets do not show it.
fn remarked(chain: Chain) -> Chain {
    let Err(why) = check_interoperable(&chain.certificates) else { return chain };
    let withheld =
        format!("Key sets show no x5c for this key, since many verifiers refuse the certificate of {}.", why.0);
    Chain { remarks: [vec![withheld], chain.remarks].concat(), ..chain }
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
