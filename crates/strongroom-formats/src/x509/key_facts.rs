//! What kind of key a certificate is for, whoever made it.

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, ID_RSASSA_PSS, RSA_ENCRYPTION};
use der::Decode;
use der::asn1::UintRef;
use spki::SubjectPublicKeyInfoRef;

use super::algorithm::{algorithm_of, rsa_bits};
use super::{ParseError, public_key};
use strongroom_domain::key::{CertificateDer, KeyAlgorithm};

/// The kind and the size of a certificate's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// `RSA`, `RSASSA-PSS`, `EC`, `Ed25519`, or the dotted object identifier of another kind.
    pub algorithm: String,
    /// Of the modulus or the curve's field, where it is known.
    pub bits: Option<u32>,
}

impl KeyFacts {
    /// Reads the key of a certificate.
    ///
    /// # Errors
    /// When it is not a key of a known form.
    pub fn of(certificate: &CertificateDer) -> Result<Self, ParseError> {
        let spki = public_key(certificate).map_err(|why| ParseError(why.to_string()))?;
        let parsed = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).map_err(|why| ParseError(why.to_string()))?;
        let known = algorithm_of(&spki);
        let modulus = || {
            let modulus = Vec::<UintRef<'_>>::from_der(parsed.subject_public_key.as_bytes()?).ok()?;
            modulus.first().map(rsa_bits)
        };
        let (algorithm, foreign) = match parsed.algorithm.oid {
            RSA_ENCRYPTION => ("RSA".to_owned(), modulus()),
            ID_RSASSA_PSS => ("RSASSA-PSS".to_owned(), modulus()),
            ID_EC_PUBLIC_KEY => ("EC".to_owned(), None),
            other => (known.map_or_else(|| other.to_string(), |_| "Ed25519".to_owned()), None),
        };
        Ok(Self { algorithm, bits: known.map(KeyAlgorithm::bits).or(foreign) })
    }
}
