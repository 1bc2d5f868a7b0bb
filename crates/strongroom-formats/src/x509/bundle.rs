//! Certificates as people send them: X.509 or PKCS#7, PEM with or without armour, base64.

use const_oid::ObjectIdentifier;

use super::ParseError;
use super::chain::ChainError;
use super::foreign_key::is_same_key;
use super::parsed::ParsedCertificate;
use super::pem_reader::{PemInput, read_pem_or_der, surplus};
use super::tlv::{CONTEXT, OBJECT_IDENTIFIER, SEQUENCE, Tlv};
use strongroom_domain::key::{CertificateDer, SpkiDer};

/// More certificates than any chain has.
const MOST: usize = 32;

/// Twice as long as a certificate with the longest signatures that are standardised, those of SLH-DSA.
const MOST_BYTES: usize = 128 << 10;

/// Labels of PEM blocks with certificates in them (RFC 7468 sections 5, 8 and 9, and openssl's own).
const LABELS: [&str; 5] = ["CERTIFICATE", "X509 CERTIFICATE", "PKCS7", "CMS", "PKCS #7 SIGNED DATA"];

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// Whether a PEM block of this label holds certificates.
pub(crate) fn holds_certificates(label: &str) -> bool {
    LABELS.contains(&label)
}

/// Every certificate of a bundle, in the order in which they stand there.
///
/// # Errors
/// When it is none of the accepted forms, or has no certificate.
pub fn certificates(data: &[u8]) -> Result<Vec<CertificateDer>, ChainError> {
    let accepted = "certificates are accepted as X.509 or PKCS#7";
    let unarmoured = read_pem_or_der(data).map_err(|why| ChainError(format!("{why}: {accepted}")))?;
    let mut found = Vec::new();
    match unarmoured {
        PemInput::Bare(der) => found = certificates_of(&der)?,
        PemInput::Pem(blocks) => {
            for block in blocks {
                if !holds_certificates(&block.label) {
                    let label = block.label;
                    return Err(ChainError(format!("a block {label}, where CERTIFICATE or PKCS7 is accepted")));
                }
                found.extend(certificates_of(&block.contents)?);
            }
        }
    }
    if found.is_empty() {
        Err(ChainError("there is no certificate in it".to_owned()))
    } else {
        at_most(found.len()).map(|()| found)
    }
}

/// The certificates of DER: one, or those of a PKCS#7.
///
/// # Errors
/// When it is neither, or has more than are accepted.
pub(crate) fn certificates_of(der: &[u8]) -> Result<Vec<CertificateDer>, ChainError> {
    if let Some(certificate) = certificate(der)? {
        return Ok(vec![certificate]);
    }
    let Some(ContentInfo { signed }) = content_info(der) else {
        return Err(ChainError(match surplus(der) {
            Some(number) => format!("{number} bytes follow the end of the certificate or PKCS#7"),
            None => "neither an X.509 certificate nor PKCS#7".to_owned(),
        }));
    };
    let unreadable = || ChainError("PKCS#7 that is broken or truncated".to_owned());
    let signed =
        signed.ok_or_else(|| ChainError("PKCS#7 without certificates: only SignedData is accepted".to_owned()))?;
    let fields = Tlv::only(signed).and_then(|signed| signed.elements(SEQUENCE)).ok_or_else(unreadable)?;
    // A set, but in no order that its writers agree on.
    let Some(set) = fields.iter().find(|field| field.tag == CONTEXT[0]) else { return Ok(Vec::new()) };
    let elements = set.elements(CONTEXT[0]).ok_or_else(unreadable)?;
    at_most(elements.len())?;
    let broken = || ChainError("PKCS#7 with something that is no X.509 certificate".to_owned());
    elements.into_iter().map(|element| certificate(element.whole)?.ok_or_else(broken)).collect()
}

/// The certificate that some bytes are laid out as, if they are.
///
/// # Errors
/// When it is longer than any certificate.
pub(crate) fn certificate(der: &[u8]) -> Result<Option<CertificateDer>, ChainError> {
    match CertificateDer::parse(der.to_vec()) {
        Ok(_) if der.len() > MOST_BYTES => {
            Err(ChainError(format!("a certificate of {} bytes, at most {MOST_BYTES} are accepted", der.len())))
        }
        other => Ok(other.ok()),
    }
}

fn at_most(number: usize) -> Result<(), ChainError> {
    let refused = || ChainError(format!("{number} certificates, at most {MOST} are accepted"));
    if number > MOST { Err(refused()) } else { Ok(()) }
}

/// `ContentInfo` (RFC 2315 section 7, RFC 5652 section 3).
struct ContentInfo<'a> {
    /// The fields of `SignedData`, where that is its type.
    signed: Option<&'a [u8]>,
}

fn content_info(der: &[u8]) -> Option<ContentInfo<'_>> {
    let fields = Tlv::only(der)?.elements(SEQUENCE)?;
    let [kind, contents @ ..] = fields.as_slice() else { return None };
    let is_signed = kind.contents_of(OBJECT_IDENTIFIER)? == SIGNED_DATA.as_bytes();
    let signed = contents.first().filter(|_| is_signed).and_then(|contents| contents.contents_of(CONTEXT[0]));
    Some(ContentInfo { signed })
}

/// Whether a certificate is for a key, in whatever form the key stands in it.
#[must_use]
pub fn is_for_key(certificate: &CertificateDer, spki: &SpkiDer) -> bool {
    ParsedCertificate::of(certificate).is_ok_and(|parsed| is_same_key(parsed.spki, spki.as_bytes()))
}

/// The public key of a certificate.
///
/// # Errors
/// When the certificate cannot be read, or its key is not of a known form.
pub fn public_key(certificate: &CertificateDer) -> Result<SpkiDer, ParseError> {
    let unreadable = |why: String| ParseError(format!("subjectPublicKeyInfo: {why}"));
    SpkiDer::parse(ParsedCertificate::of(certificate)?.spki.to_vec()).map_err(|why| unreadable(why.to_string()))
}
