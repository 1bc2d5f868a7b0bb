//! Certificates in the clothes of PKCS#7.

use der::asn1::{AnyRef, ObjectIdentifier, SetOfVec};
use der::{Decode, Encode, Sequence};

use super::EncodeError;
use strongroom_domain::key::CertificateDer;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

/// A degenerate `SignedData` of one certificate, which nobody has signed (RFC 2315 section 9.1 note 3).
///
/// # Errors
/// When the certificate is too long.
pub fn certificates_only(certificate: &CertificateDer) -> Result<Vec<u8>, EncodeError> {
    let certificates = SetOfVec::try_from(vec![AnyRef::from_der(certificate.as_bytes())?])?;
    let content = SignedData {
        version: 1,
        digest_algorithms: SetOfVec::new(),
        content_info: NoContent { content_type: DATA },
        certificates,
        signer_infos: SetOfVec::new(),
    };
    Ok(ContentInfo { content_type: SIGNED_DATA, content }.to_der()?)
}

#[derive(Sequence)]
struct ContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData<'a>,
}

#[derive(Sequence)]
struct SignedData<'a> {
    version: u8,
    digest_algorithms: SetOfVec<AnyRef<'a>>,
    content_info: NoContent,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    certificates: SetOfVec<AnyRef<'a>>,
    signer_infos: SetOfVec<AnyRef<'a>>,
}

#[derive(Sequence)]
struct NoContent {
    content_type: ObjectIdentifier,
}
