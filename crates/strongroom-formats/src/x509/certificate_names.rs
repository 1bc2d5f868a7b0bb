//! Subject and alternative names of a certificate: given ones, or those of another certificate.

use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;

use super::parsed::ParsedCertificate;
use super::profile::extension;
use super::{AlternativeName, CertificateProfile, EncodeError, Subject};
use strongroom_domain::key::CertificateDer;

/// The subject of a certificate and its alternative names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateNames {
    /// Spelt out.
    Given { subject: Subject, alternative_names: Vec<AlternativeName> },
    /// Those of this certificate as they are encoded there, of whatever types they are.
    Of(CertificateDer),
}

impl CertificateNames {
    /// The subject in DER, and the extension of the alternative names, if there are some.
    pub(super) fn encode(&self, profile: CertificateProfile) -> Result<(Vec<u8>, Option<Extension>), EncodeError> {
        match self {
            Self::Given { subject, alternative_names } => {
                if let Some((field, fault)) = subject.faults_within(profile.longest_common_name()).first() {
                    return Err(EncodeError(format!("subject: {field:?} {fault:?}")));
                }
                Ok((subject.to_name()?.to_der()?, spelt(alternative_names)?))
            }
            Self::Of(certificate) => {
                let parsed = ParsedCertificate::of(certificate).map_err(|why| EncodeError(why.to_string()))?;
                let names = parsed.extension(ID_CE_SUBJECT_ALT_NAME).map(|names| Extension::from_der(names.der));
                Ok((parsed.subject.der.to_vec(), names.transpose()?))
            }
        }
    }
}

fn spelt(names: &[AlternativeName]) -> der::Result<Option<Extension>> {
    if names.is_empty() {
        return Ok(None);
    }
    let names = names.iter().map(AlternativeName::to_general_name).collect::<der::Result<_>>()?;
    extension(false, &SubjectAltName(names)).map(Some)
}
