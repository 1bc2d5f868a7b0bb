//! Certification requests (PKCS#10, RFC 2986).

use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::{Any, AnyRef, BitStringRef, SetOfVec};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::Certificate;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::request::{CertReqInfo, Version};

use super::algorithm::identifier;
use super::tbs::{SignedParts, encode};
use super::{EncodeError, verify};
use strongroom_domain::key::{CertificateDer, Signature, SignatureAlgorithm, SpkiDer};

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
        let parsed = Certificate::from_der(certificate.as_bytes())?;
        let tbs = parsed.tbs_certificate();
        let mut extensions = tbs.extensions().into_iter().flatten();
        let names = extensions.find(|extension| extension.extn_id == ID_CE_SUBJECT_ALT_NAME);
        let info = CertReqInfo {
            version: Version::V1,
            subject: tbs.subject().clone(),
            public_key: SubjectPublicKeyInfoOwned::from_der(spki.as_bytes())?,
            attributes: attributes(names)?,
        };
        let (bytes, spki) = (info.to_der()?, spki.clone());
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

/// The extensions that are asked for (RFC 2985 section 5.4.2); none, where an empty list
/// would be against their syntax.
fn attributes(names: Option<&Extension>) -> der::Result<Attributes> {
    let mut attributes = Attributes::default();
    if let Some(names) = names {
        let value = Any::encode_from(&vec![names.clone()])?;
        attributes.insert(Attribute { oid: ID_EXTENSION_REQ, values: SetOfVec::try_from(vec![value])? })?;
    }
    Ok(attributes)
}
