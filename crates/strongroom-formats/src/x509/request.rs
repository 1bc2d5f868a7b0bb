//! Certification requests (PKCS#10, RFC 2986).

use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;

use super::algorithm::identifier;
use super::parsed::{ParsedCertificate, ParsedExtension};
use super::tbs::{SignedParts, encode};
use super::{EncodeError, tlv, verify};
use strongroom_domain::key::{CertificateDer, Signature, SignatureAlgorithm, SpkiDer};

/// INTEGER 0: version 1.
const VERSION: &[u8] = &[tlv::INTEGER, 1, 0];

/// A certification request that only lacks its signature.
#[derive(Debug)]
pub struct RequestInfo {
    bytes: Vec<u8>,
    spki: SpkiDer,
    signature_algorithm: SignatureAlgorithm,
    algorithm: AlgorithmIdentifierOwned,
}

impl RequestInfo {
    /// A request for what a certificate says: its subject and alternative names, for `spki`.
    ///
    /// # Errors
    /// When the certificate cannot be read or its names not be encoded.
    pub fn for_certificate(
        certificate: &CertificateDer,
        spki: &SpkiDer,
        algorithm: SignatureAlgorithm,
    ) -> Result<Self, EncodeError> {
        let parsed = ParsedCertificate::of(certificate).map_err(|why| EncodeError(why.to_string()))?;
        let names = parsed.extension(ID_CE_SUBJECT_ALT_NAME);
        // CertificationRequestInfo (section 4.1), with the subject byte for byte, since its strings may be of any type.
        let fields = [VERSION, parsed.subject.der, spki.as_bytes(), &attributes(names)].concat();
        let bytes = tlv::encode(tlv::SEQUENCE, &fields);
        let spki = spki.clone();
        Ok(Self { bytes, spki, signature_algorithm: algorithm, algorithm: identifier(algorithm)? })
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signed request in DER, checked: it verifies with its own key.
    ///
    /// # Errors
    /// When the signature has the wrong form or does not verify.
    pub fn assemble(self, signature: &Signature) -> Result<Vec<u8>, EncodeError> {
        if signature.algorithm() != self.signature_algorithm {
            return Err(EncodeError(format!("signed by {}, not {}", signature.algorithm(), self.signature_algorithm)));
        }
        verify(&self.spki, &self.bytes, signature).map_err(|failure| EncodeError(failure.to_string()))?;
        let encoded = encode(signature)?;
        // A request has the same three parts as a certificate (RFC 2986 section 4.2).
        let request = SignedParts {
            tbs: AnyRef::from_der(&self.bytes)?,
            algorithm: self.algorithm,
            signature: BitStringRef::from_bytes(&encoded)?,
        };
        Ok(request.to_der()?)
    }
}

/// `[0]` with the extensions that are asked for (RFC 2985 section 5.4.2); with none, where an empty list would be
/// against their syntax.
fn attributes(names: Option<&ParsedExtension<'_>>) -> Vec<u8> {
    let attribute = |names: &ParsedExtension<'_>| {
        let value = tlv::encode(tlv::SET, &tlv::encode(tlv::SEQUENCE, names.der));
        let id = tlv::encode(tlv::OBJECT_IDENTIFIER, ID_EXTENSION_REQ.as_bytes());
        tlv::encode(tlv::SEQUENCE, &[id, value].concat())
    };
    tlv::encode(tlv::CONTEXT[0], &names.map(attribute).unwrap_or_default())
}
