//! Certificates as people send them: X.509 or PKCS#7, PEM with or without armour, base64.

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode, Encode, Sequence, SliceReader, Tag, Tagged};
use x509_cert::Certificate;

use super::issuer::check_ca;
use super::name::distinguished_name;
use super::pem_reader::{PemInput, read_pem_or_der};
use super::tbs::SignedParts;
use super::verify::verify_foreign;
use strongroom_domain::key::{CertificateDer, SpkiDer};

/// More certificates than any chain has.
const MOST: usize = 32;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Why a bundle is no chain for a key; what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChainError(pub String);

/// Every certificate of a bundle, in the order in which they stand there.
///
/// # Errors
/// When it is none of the accepted forms, or has no certificate.
pub fn certificates(data: &[u8]) -> Result<Vec<CertificateDer>, ChainError> {
    let unreadable = |_| ChainError("neither PEM nor base64: certificates are accepted as X.509 or PKCS#7".to_owned());
    let mut found = Vec::new();
    match read_pem_or_der(data).map_err(unreadable)? {
        PemInput::Bare(der) => found = certificates_of(&der)?,
        PemInput::Pem(blocks) => {
            for block in blocks {
                if !["CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS"].contains(&block.label.as_str()) {
                    let label = block.label;
                    return Err(ChainError(format!("a block {label}, where CERTIFICATE or PKCS7 is accepted")));
                }
                found.extend(certificates_of(&block.contents)?);
            }
        }
    }
    match found.len() {
        0 => Err(ChainError("there is no certificate in it".to_owned())),
        number if number > MOST => Err(ChainError(format!("{number} certificates, at most {MOST} are accepted"))),
        _ => Ok(found),
    }
}

/// The certificate whose key is `spki`, then its issuers in order (by name and signature).
///
/// An issuer that nobody sent ends the chain, known or not; certificates sent twice count once.
///
/// # Errors
/// When no certificate has the key, or one does not chain to the others.
pub fn chain_for(certificates: Vec<CertificateDer>, spki: &SpkiDer) -> Result<Vec<CertificateDer>, ChainError> {
    let sorted = sort(certificates, spki)?;
    if sorted.others.is_empty() { Ok(sorted.chain) } else { Err(sorted.complaint()) }
}

/// The same among certificates that have nothing to do with it, as key files hold: these are left out.
///
/// # Errors
/// When no certificate has the key, or the chain has a gap: an issuer is missing, and there is a
/// certificate authority that it might have led to.
pub fn chain_among(certificates: Vec<CertificateDer>, spki: &SpkiDer) -> Result<Vec<CertificateDer>, ChainError> {
    let sorted = sort(certificates, spki)?;
    let gap = !sorted.is_complete && sorted.others.iter().any(|other| check_ca(other).is_ok());
    if gap { Err(sorted.complaint()) } else { Ok(sorted.chain) }
}

/// A chain, and what else came with it.
struct Sorted {
    chain: Vec<CertificateDer>,
    /// Whether its last certificate is its own issuer.
    is_complete: bool,
    others: Vec<CertificateDer>,
}

impl Sorted {
    /// Why the others cannot stand there.
    fn complaint(&self) -> ChainError {
        let names: Vec<String> = self.others.iter().map(subject).collect();
        let names = names.join("; ");
        ChainError(match self.chain.last().map(issuer) {
            Some(missing) if !self.is_complete => {
                format!("a chain with a gap: the issuer {missing} is missing, so that nothing leads to {names}")
            }
            _ => format!("not part of the chain: {names}"),
        })
    }
}

/// Puts the chain of a key in order.
fn sort(certificates: Vec<CertificateDer>, spki: &SpkiDer) -> Result<Sorted, ChainError> {
    let mut rest: Vec<CertificateDer> = Vec::new();
    for certificate in certificates {
        if !rest.contains(&certificate) {
            rest.push(certificate);
        }
    }
    if rest.is_empty() {
        return Err(ChainError("there is no certificate in it, where that for the key is needed".to_owned()));
    }
    let leaf = rest
        .iter()
        .position(|certificate| public_key(certificate).is_ok_and(|key| key == *spki))
        .ok_or_else(|| ChainError("no certificate is for this key: the public keys differ".to_owned()))?;
    let mut last = rest.remove(leaf);
    let mut chain = Vec::new();
    while let Some(issuer) = rest.iter().position(|issuer| is_issued_by(&last, issuer)) {
        chain.push(std::mem::replace(&mut last, rest.remove(issuer)));
    }
    let is_complete = is_issued_by(&last, &last);
    chain.push(last);
    Ok(Sorted { chain, is_complete, others: rest })
}

/// Whether `issuer` issued `certificate`: names and signature.
#[must_use]
pub fn is_issued_by(certificate: &CertificateDer, issuer: &CertificateDer) -> bool {
    let (Ok(leaf), Ok(ca)) = (Certificate::from_der(certificate.as_bytes()), Certificate::from_der(issuer.as_bytes()))
    else {
        return false;
    };
    if leaf.tbs_certificate().issuer() != ca.tbs_certificate().subject() {
        return false;
    }
    let Ok(key) = public_key(issuer) else { return false };
    let signed = SignedParts::from_der(certificate.as_bytes()).and_then(|signed| Ok((signed.tbs.to_der()?, signed)));
    signed.is_ok_and(|(message, signed)| {
        let signature = signed.signature.as_bytes().unwrap_or_default();
        verify_foreign(&key, &signed.algorithm, &message, signature).is_ok()
    })
}

/// The public key of a certificate.
///
/// # Errors
/// When it is not a key of a known form.
pub fn public_key(certificate: &CertificateDer) -> Result<SpkiDer, ChainError> {
    let unreadable = |_| ChainError("the certificate's public key cannot be read".to_owned());
    let parsed = Certificate::from_der(certificate.as_bytes()).map_err(unreadable)?;
    let spki = parsed.tbs_certificate().subject_public_key_info().to_der().map_err(unreadable)?;
    SpkiDer::parse(spki).map_err(|_| ChainError("the certificate's public key cannot be read".to_owned()))
}

/// `ContentInfo` (RFC 2315 section 7, RFC 5652 section 3).
#[derive(Sequence)]
struct ContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: AnyRef<'a>,
}

/// One certificate, or those of a PKCS#7, whatever the label says.
fn certificates_of(der: &[u8]) -> Result<Vec<CertificateDer>, ChainError> {
    if let Ok(certificate) = CertificateDer::parse(der.to_vec()) {
        return Ok(vec![certificate]);
    }
    let unreadable = |_| ChainError("neither an X.509 certificate nor PKCS#7".to_owned());
    let info = ContentInfo::from_der(der).map_err(unreadable)?;
    if info.content_type != SIGNED_DATA {
        return Err(ChainError("PKCS#7 without certificates: only SignedData is accepted".to_owned()));
    }
    let fields = info.content.decode_as::<Vec<AnyRef<'_>>>().map_err(unreadable)?;
    let is_set = |field: &&AnyRef<'_>| matches!(field.tag(), Tag::ContextSpecific { constructed: true, number } if number.value() == 0);
    let Some(set) = fields.iter().find(is_set) else { return Ok(Vec::new()) };
    // A set, but in no order that its writers agree on.
    let mut reader = SliceReader::new(set.value()).map_err(unreadable)?;
    let mut found = Vec::new();
    while !der::Reader::is_finished(&reader) {
        let element = AnyRef::decode(&mut reader).and_then(|element| element.to_der()).map_err(unreadable)?;
        let broken = |_| ChainError("PKCS#7 with something that is no X.509 certificate".to_owned());
        found.push(CertificateDer::parse(element).map_err(broken)?);
    }
    Ok(found)
}

fn subject(certificate: &CertificateDer) -> String {
    Certificate::from_der(certificate.as_bytes())
        .map(|parsed| distinguished_name(parsed.tbs_certificate().subject()))
        .unwrap_or_default()
}

fn issuer(certificate: &CertificateDer) -> String {
    Certificate::from_der(certificate.as_bytes())
        .map(|parsed| distinguished_name(parsed.tbs_certificate().issuer()))
        .unwrap_or_default()
}
