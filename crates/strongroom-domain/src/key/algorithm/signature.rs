//! Signature algorithms, each a reference to its row.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ptr;

use aws_lc_rs::signature::{RsaEncoding, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EcCurve, HashAlgorithm, KeyAlgorithm, KeyFamily, table};

/// A way of signing, scheme and hash: a row of the table.
#[derive(Clone, Copy)]
pub struct SignatureAlgorithm(pub(super) &'static SignatureRow);

/// A scheme, with its hash where it has one.
///
/// PSS uses MGF1 with the same hash and a salt as long as the digest (RFC 8017
/// section 9.1, RFC 7518 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignatureScheme {
    RsaPkcs1(HashAlgorithm),
    RsaPss(HashAlgorithm),
    Ecdsa(HashAlgorithm),
    EdDsa,
}

/// A row of the table of signature algorithms.
pub(super) struct SignatureRow {
    pub(super) jca_name: &'static str,
    pub(super) jose: JoseName,
    pub(super) scheme: SignatureScheme,
    pub(super) oid: ObjectIdentifier,
    pub(super) implementation: Implementation,
}

/// The JOSE name (RFC 7518 section 3.1, RFC 8037 section 3.1).
pub(super) struct JoseName {
    pub(super) name: &'static str,
    /// The one curve whose keys have the name.
    pub(super) curve: Option<&'static str>,
}

/// The implementation in software.
pub(super) enum Implementation {
    Rsa(&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm),
    /// That of the key's curve.
    Curve,
    EdDsa(&'static dyn VerificationAlgorithm),
}

impl SignatureAlgorithm {
    /// Every signature algorithm.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        table::signature_rows().map(Self)
    }

    /// The JCA standard name, which is also the name that is stored.
    #[must_use]
    pub const fn jca_name(self) -> &'static str {
        self.0.jca_name
    }

    /// The algorithm of a JCA standard name.
    #[must_use]
    pub fn from_jca_name(name: &str) -> Option<Self> {
        Self::all().find(|algorithm| algorithm.jca_name() == name)
    }

    /// The JOSE name of signing so with a key of this kind; `None` where JOSE has none, as for
    /// P-256 with SHA-384.
    #[must_use]
    pub fn jose_name(self, key: KeyAlgorithm) -> Option<&'static str> {
        let JoseName { name, curve } = &self.0.jose;
        let named = curve.is_none() || *curve == key.curve().map(|curve| curve.name);
        (self.fits(key) && named).then_some(*name)
    }

    /// Scheme and hash.
    #[must_use]
    pub const fn scheme(self) -> SignatureScheme {
        self.0.scheme
    }

    /// The hash that is applied to the message, `None` where the scheme hashes itself.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self.0.scheme {
            SignatureScheme::RsaPkcs1(hash) | SignatureScheme::RsaPss(hash) | SignatureScheme::Ecdsa(hash) => {
                Some(hash)
            }
            SignatureScheme::EdDsa => None,
        }
    }

    /// The object identifier in X.509 (RFC 4055 sections 3 and 5, RFC 5758 section 3.2, RFC 8410
    /// section 3), which all of RSASSA-PSS share.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        self.0.oid
    }

    /// The verification of signatures in the form of X.509 by a key on `curve`, which RSA and
    /// `EdDSA` do without.
    #[must_use]
    pub fn verification(self, curve: Option<&EcCurve>) -> Option<&'static dyn VerificationAlgorithm> {
        match self.0.implementation {
            Implementation::Rsa(_, verification) | Implementation::EdDsa(verification) => Some(verification),
            Implementation::Curve => {
                let by_hash = curve?.verification_asn1;
                by_hash.into_iter().find(|(hash, _)| Some(*hash) == self.hash()).map(|(_, verification)| verification)
            }
        }
    }

    /// The padding of RSA signatures; `None` for other families.
    #[must_use]
    pub const fn rsa_encoding(self) -> Option<&'static dyn RsaEncoding> {
        match self.0.implementation {
            Implementation::Rsa(encoding, _) => Some(encoding),
            Implementation::Curve | Implementation::EdDsa(_) => None,
        }
    }

    /// Whether a key of `algorithm` can sign this way.
    #[must_use]
    pub const fn fits(self, algorithm: KeyAlgorithm) -> bool {
        matches!(
            (self.0.scheme, algorithm.family()),
            (SignatureScheme::RsaPkcs1(_) | SignatureScheme::RsaPss(_), KeyFamily::Rsa)
                | (SignatureScheme::Ecdsa(_), KeyFamily::Ec)
                | (SignatureScheme::EdDsa, KeyFamily::EdDsa)
        )
    }
}

impl PartialEq for SignatureAlgorithm {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Eq for SignatureAlgorithm {}

impl PartialOrd for SignatureAlgorithm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SignatureAlgorithm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scheme().cmp(&other.scheme())
    }
}

impl Hash for SignatureAlgorithm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scheme().hash(state);
    }
}

impl fmt::Debug for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.jca_name())
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.jca_name())
    }
}

impl Serialize for SignatureAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.scheme().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SignatureAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SignatureScheme::deserialize(deserializer).map(Self::from)
    }
}
