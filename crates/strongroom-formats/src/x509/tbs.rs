//! What is signed of a self-signed certificate, and the certificate with its signature.

use std::time::Duration;

use der::asn1::{AnyRef, BitStringRef};
use der::{DateTime, Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Time;

use super::algorithm::identifier;
use super::{CertificateNames, CertificateProfile, ecdsa, tlv};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{CertificateDer, SerialNumber, Signature, SignatureAlgorithm, SignatureScheme, SpkiDer};

/// `[0]` around INTEGER 2: version 3.
const VERSION: &[u8] = &[tlv::CONTEXT[0], 3, tlv::INTEGER, 1, 2];

/// A self-signed certificate to be made.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    pub names: CertificateNames,
    pub serial: SerialNumber,
    /// Whole seconds, as X.509 says no less.
    pub not_before: Timestamp,
    /// The last second of the validity, at most in the year 9999.
    pub not_after: Timestamp,
    pub spki: SpkiDer,
    pub signature_algorithm: SignatureAlgorithm,
    pub profile: CertificateProfile,
}

/// What no certificate can say, or no signature can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be encoded: {0}")]
pub struct EncodeError(pub String);

impl SelfSigned {
    /// The bytes to be signed.
    ///
    /// # Errors
    /// When the subject has faults, a date is outside of what X.509 can say, or the
    /// public key is none.
    pub fn tbs(&self) -> Result<Tbs, EncodeError> {
        let (name, alternative_names) = self.names.encode(self.profile)?;
        if self.not_after < self.not_before {
            return Err(EncodeError("it would end before it begins".to_owned()));
        }
        let algorithm = identifier(self.signature_algorithm)?;
        let spki = SubjectPublicKeyInfoRef::from_der(self.spki.as_bytes())?;
        let extensions = self.profile.extensions(spki, alternative_names)?.to_der()?;
        let validity = [time(self.not_before)?.to_der()?, time(self.not_after)?.to_der()?].concat();
        let fields = [
            VERSION,
            &tlv::encode(tlv::INTEGER, self.serial.as_bytes()),
            &algorithm.to_der()?,
            &name,
            &tlv::encode(tlv::SEQUENCE, &validity),
            &name,
            self.spki.as_bytes(),
            &tlv::encode(tlv::CONTEXT[3], &extensions),
        ];
        let bytes = tlv::encode(tlv::SEQUENCE, &fields.concat());
        Ok(Tbs { bytes, signature_algorithm: self.signature_algorithm, algorithm })
    }
}

/// The to-be-signed part of one certificate (RFC 5280 section 4.1.2); one signature uses it up.
#[derive(Debug)]
pub struct Tbs {
    bytes: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
    algorithm: AlgorithmIdentifierOwned,
}

impl Tbs {
    /// The message to be signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts the very bytes that were signed and their signature into a certificate.
    ///
    /// # Errors
    /// When the signature is by another algorithm or has no two halves (ECDSA). Whether it
    /// verifies is the business of [`super::check`].
    pub fn assemble(self, signature: &Signature) -> Result<CertificateDer, EncodeError> {
        if signature.algorithm() != self.signature_algorithm {
            return Err(EncodeError(format!("signed by {}, not {}", signature.algorithm(), self.signature_algorithm)));
        }
        let encoded = encode(signature)?;
        let der = SignedParts {
            tbs: AnyRef::from_der(&self.bytes)?,
            algorithm: self.algorithm,
            signature: BitStringRef::from_bytes(&encoded)?,
        }
        .to_der()?;
        CertificateDer::parse(der).map_err(|failure| EncodeError(failure.to_string()))
    }
}

/// The form that a signature has in a certificate: ECDSA as DER, the others as they are.
///
/// # Errors
/// When an ECDSA signature has no two halves.
pub fn encode(signature: &Signature) -> Result<Vec<u8>, ecdsa::NotEcdsa> {
    match signature.algorithm().scheme() {
        SignatureScheme::Ecdsa(_) => ecdsa::to_der(signature.raw()),
        SignatureScheme::RsaPkcs1(_) | SignatureScheme::RsaPss(_) | SignatureScheme::EdDsa => {
            Ok(signature.raw().to_vec())
        }
    }
}

/// `Certificate` (RFC 5280 section 4.1) with the signed part left as it is.
#[derive(Sequence)]
pub(super) struct SignedParts<'a> {
    pub tbs: AnyRef<'a>,
    pub algorithm: AlgorithmIdentifierOwned,
    pub signature: BitStringRef<'a>,
}

/// `UTCTime` until 2049, `GeneralizedTime` from then on (RFC 5280 section 4.1.2.5).
fn time(moment: Timestamp) -> Result<Time, EncodeError> {
    let micros = u64::try_from(moment.as_micros()).map_err(|_| EncodeError("a date before 1970".to_owned()))?;
    let whole_seconds = Duration::from_secs(micros / 1_000_000);
    DateTime::from_unix_duration(whole_seconds).map(Time::from).map_err(|_| EncodeError("a date after 9999".to_owned()))
}

impl From<der::Error> for EncodeError {
    fn from(failure: der::Error) -> Self {
        Self(failure.to_string())
    }
}

impl From<ecdsa::NotEcdsa> for EncodeError {
    fn from(failure: ecdsa::NotEcdsa) -> Self {
        Self(failure.to_string())
    }
}
