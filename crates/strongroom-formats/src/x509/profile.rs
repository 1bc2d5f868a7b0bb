//! Which extensions a certificate carries.

use const_oid::AssociatedOid;
use const_oid::db::rfc5912::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH, RSA_ENCRYPTION};
use der::Encode;
use der::asn1::OctetString;
use der::flagset::FlagSet;
use spki::SubjectPublicKeyInfoRef;
use strongroom_domain::key::RingKind;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions};

use super::SubjectField;

/// What a leaf certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateProfile {
    /// Signs documents and tokens: digitalSignature.
    Signing,
    /// Signs for a connection: digitalSignature, and a common name as long as names of connections may be.
    Connection,
    /// Serves TLS: serverAuth, and keyEncipherment with RSA.
    TlsServer,
    /// Asks over TLS: clientAuth.
    TlsClient,
}

impl CertificateProfile {
    /// The profile of certificates whose keys serve rings of `kind`.
    #[must_use]
    pub const fn of_ring(kind: RingKind) -> Self {
        match kind {
            RingKind::SslServer => Self::TlsServer,
            RingKind::SslClient => Self::TlsClient,
            RingKind::Connection => Self::Connection,
            RingKind::Signing | RingKind::WebKeys => Self::Signing,
        }
    }

    /// The extensions of a self-signed certificate over `spki`, in the encoded order
    /// (RFC 5280 section 4.2.1).
    pub(super) fn extensions(
        self,
        spki: SubjectPublicKeyInfoRef<'_>,
        alternative_names: Option<Extension>,
    ) -> der::Result<Extensions> {
        let mut extensions = vec![
            extension(true, &BasicConstraints { ca: false, path_len_constraint: None })?,
            extension(true, &KeyUsage(self.key_usages(&spki)))?,
        ];
        let purpose = match self {
            Self::Signing | Self::Connection => None,
            Self::TlsServer => Some(ID_KP_SERVER_AUTH),
            Self::TlsClient => Some(ID_KP_CLIENT_AUTH),
        };
        if let Some(purpose) = purpose {
            extensions.push(extension(false, &ExtendedKeyUsage(vec![purpose]))?);
        }
        // Both are the SHA-1 of the key's bits: RFC 5280 section 4.2.1.2, method 1.
        extensions.push(extension(false, &SubjectKeyIdentifier::try_from(spki.clone())?)?);
        extensions.push(extension(false, &AuthorityKeyIdentifier::try_from(spki)?)?);
        extensions.extend(alternative_names);
        Ok(extensions)
    }

    /// The longest common name, in characters: ub-common-name (RFC 5280 appendix A.1), but for connections.
    pub(super) const fn longest_common_name(self) -> usize {
        match self {
            Self::Connection => 128,
            Self::Signing | Self::TlsServer | Self::TlsClient => SubjectField::CommonName.upper_bound(),
        }
    }

    fn key_usages(self, spki: &SubjectPublicKeyInfoRef<'_>) -> FlagSet<KeyUsages> {
        match self {
            Self::TlsServer if spki.algorithm.oid == RSA_ENCRYPTION => {
                KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment
            }
            Self::TlsServer | Self::Signing | Self::Connection | Self::TlsClient => KeyUsages::DigitalSignature.into(),
        }
    }
}

pub(super) fn extension<T: AssociatedOid + Encode>(critical: bool, value: &T) -> der::Result<Extension> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}
