//! Bytes that have been parsed once and need not be doubted again.

use std::fmt;

use der::asn1::{AnyRef, UintRef};
use der::{Decode, Sequence, Tag, Tagged};

use super::{IdError, SignatureAlgorithm};

/// One X.509 certificate in DER (RFC 5280 section 4.1).
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateDer(Vec<u8>);

impl CertificateDer {
    /// Takes bytes that are laid out as one certificate, with nothing after it.
    ///
    /// Field values are for `strongroom_formats::x509::check_readable` to judge, which knows why one cannot be read.
    ///
    /// # Errors
    /// When the bytes are something else than a certificate.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, IdError> {
        if is_laid_out_as_certificate(&bytes) { Ok(Self(bytes)) } else { Err(IdError("a DER certificate")) }
    }

    /// Takes bytes that came from [`CertificateDer::as_bytes`], out of a store; parsing them
    /// again would be a quarter of what listing ten thousand certificates costs.
    #[must_use]
    pub const fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CertificateDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateDer({} bytes)", self.0.len())
    }
}

/// Whether the elements are those of `Certificate` and `TBSCertificate` (RFC 5280 section 4.1), by their tags.
fn is_laid_out_as_certificate(der: &[u8]) -> bool {
    let Ok(parts) = Vec::<AnyRef<'_>>::from_der(der) else { return false };
    let [tbs, algorithm, signature] = parts.as_slice() else { return false };
    if (tbs.tag(), algorithm.tag(), signature.tag()) != (Tag::Sequence, Tag::Sequence, Tag::BitString) {
        return false;
    }
    let Ok(fields) = tbs.decode_as::<Vec<AnyRef<'_>>>() else { return false };
    let is_version = |tag| matches!(tag, Tag::ContextSpecific { constructed: true, number } if number.value() == 0);
    let tags: Vec<Tag> = fields.iter().map(Tagged::tag).skip_while(|tag| is_version(*tag)).collect();
    // Serial number; signature algorithm, issuer, validity, subject, public key; then unique identifiers and extensions.
    let [Tag::Integer, sequences @ ..] = tags.as_slice() else { return false };
    let is_optional = |tag: &Tag| matches!(tag, Tag::ContextSpecific { .. });
    sequences
        .split_at_checked(5)
        .is_some_and(|(fields, more)| fields.iter().all(|tag| *tag == Tag::Sequence) && more.iter().all(is_optional))
}

/// A SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpkiDer(Vec<u8>);

impl SpkiDer {
    /// Takes bytes that parse as one SubjectPublicKeyInfo, with nothing after it.
    ///
    /// # Errors
    /// When they do not.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, IdError> {
        spki::SubjectPublicKeyInfoRef::try_from(bytes.as_slice()).map_err(|_| IdError("a DER SubjectPublicKeyInfo"))?;
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SpkiDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiDer({} bytes)", self.0.len())
    }
}

const SEALED_FORMAT: u8 = 1;

/// A private key of the provider `Local`, sealed: opaque to everybody else, and erased
/// with its row's destruction.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedKey(Vec<u8>);

impl SealedKey {
    /// Takes what was sealed before.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Puts a text that was sealed under the master key of a version into its envelope:
    /// `format (1) || master version (8, big-endian) || text`.
    #[must_use]
    pub fn under(version: i64, text: &[u8]) -> Self {
        Self([&[SEALED_FORMAT], version.to_be_bytes().as_slice(), text].concat())
    }

    /// The master key's version and the sealed text; `None` for what is no such envelope.
    #[must_use]
    pub fn parts(&self) -> Option<(i64, &[u8])> {
        let ([format], rest) = self.0.split_first_chunk::<1>()?;
        let (version, text) = rest.split_first_chunk()?;
        (*format == SEALED_FORMAT).then_some((i64::from_be_bytes(*version), text))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKey({} bytes)", self.0.len())
    }
}

/// A signature as PKCS#11 gives it, with the algorithm that made it.
///
/// ECDSA is the fixed-width `r || s` of PKCS#11 section 6.3.1; turning it to the DER
/// form of X.509 is the business of `x509`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    algorithm: SignatureAlgorithm,
    raw: Vec<u8>,
}

impl Signature {
    /// A signature in PKCS#11 form.
    #[must_use]
    pub const fn from_raw(algorithm: SignatureAlgorithm, raw: Vec<u8>) -> Self {
        Self { algorithm, raw }
    }

    /// The algorithm that made it.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The bytes: an RSA integer, `r || s`, or the 64 bytes of Ed25519.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }
}

/// `RSAPrivateKey` (RFC 8017 appendix A.1.2).
#[derive(Sequence)]
pub struct RsaPrivateKey<'a> {
    pub version: u8,
    pub modulus: UintRef<'a>,
    pub public_exponent: UintRef<'a>,
    pub private_exponent: UintRef<'a>,
    pub prime1: UintRef<'a>,
    pub prime2: UintRef<'a>,
    pub exponent1: UintRef<'a>,
    pub exponent2: UintRef<'a>,
    pub coefficient: UintRef<'a>,
    #[asn1(optional = "true")]
    pub other_primes: Option<AnyRef<'a>>,
}
