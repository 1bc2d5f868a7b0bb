//! Key algorithms, each a reference to its row.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ptr;

use aws_lc_rs::agreement;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{EcdsaSigningAlgorithm, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{HashAlgorithm, SignatureAlgorithm, table};

/// The family of a key algorithm, as JWK's `kty` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFamily {
    Rsa,
    Ec,
    EdDsa,
}

/// An algorithm that a key pair can have, size included: a row of the table.
///
/// It is no pattern of a `match`: what differs from algorithm to algorithm is a column of the row.
#[derive(Clone, Copy)]
pub struct KeyAlgorithm(pub(super) &'static KeyRow);

/// A row of the table of key algorithms.
pub(super) struct KeyRow {
    pub(super) name: &'static str,
    pub(super) jca_name: &'static str,
    pub(super) bits: u32,
    pub(super) default_signature: SignatureAlgorithm,
    pub(super) other_signatures: &'static [SignatureAlgorithm],
    pub(super) parameters: KeyParameters,
}

/// The parameters of a key algorithm, by its family.
#[derive(Clone, Copy, Debug)]
pub enum KeyParameters {
    Rsa(KeySize),
    Ec(&'static EcCurve),
    EdDsa(&'static EdwardsCurve),
}

/// A curve in short Weierstrass form (RFC 5480 section 2.1.1.1), and its implementation in software.
#[derive(Debug)]
pub struct EcCurve {
    /// JWK's `crv` (RFC 7518 section 6.2.1.1).
    pub name: &'static str,
    /// `namedCurve`.
    pub oid: ObjectIdentifier,
    /// Length of a coordinate, and of a scalar, in bytes.
    pub scalar_len: usize,
    /// The hash that `signing` and `verification` apply.
    pub hash: HashAlgorithm,
    /// Signs in the form of PKCS#11: both halves, one after the other.
    pub signing: &'static EcdsaSigningAlgorithm,
    /// Verifies signatures in the form of PKCS#11.
    pub verification: &'static dyn VerificationAlgorithm,
    /// Verifies signatures in the form of X.509, by hash.
    pub verification_asn1: [(HashAlgorithm, &'static dyn VerificationAlgorithm); 3],
    /// Derives public keys.
    pub agreement: &'static agreement::Algorithm,
}

/// A curve in twisted Edwards form (RFC 8032).
#[derive(Debug)]
pub struct EdwardsCurve {
    /// JWK's `crv` (RFC 8037 section 2).
    pub name: &'static str,
    /// Key and signature algorithm in X.509 (RFC 8410 section 3).
    pub oid: ObjectIdentifier,
    /// Length of a point in bytes.
    pub point_len: usize,
    /// `curveName` of `CKA_EC_PARAMS` (PKCS#11 section 6.3.3).
    pub pkcs11_name: &'static str,
}

impl EcCurve {
    /// The curve of an object identifier.
    #[must_use]
    pub fn of(oid: ObjectIdentifier) -> Option<&'static Self> {
        KeyAlgorithm::all().filter_map(KeyAlgorithm::curve).find(|curve| curve.oid == oid)
    }

    /// Length of an uncompressed point in bytes (SEC 1 section 2.3.3).
    #[must_use]
    pub const fn point_len(&self) -> usize {
        2 * self.scalar_len + 1
    }
}

impl KeyAlgorithm {
    /// Every key algorithm, by family and size; the first one of a family is its default.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        table::key_rows().map(Self)
    }

    /// The family.
    #[must_use]
    pub const fn family(self) -> KeyFamily {
        match self.0.parameters {
            KeyParameters::Rsa(_) => KeyFamily::Rsa,
            KeyParameters::Ec(_) => KeyFamily::Ec,
            KeyParameters::EdDsa(_) => KeyFamily::EdDsa,
        }
    }

    /// The parameters by which the algorithms of a family differ.
    #[must_use]
    pub const fn parameters(self) -> KeyParameters {
        self.0.parameters
    }

    /// The curve of the family EC.
    #[must_use]
    pub const fn curve(self) -> Option<&'static EcCurve> {
        match self.0.parameters {
            KeyParameters::Ec(curve) => Some(curve),
            KeyParameters::Rsa(_) | KeyParameters::EdDsa(_) => None,
        }
    }

    /// Size in bits: the RSA modulus, or the order of the curve's field.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0.bits
    }

    /// The stable name that is stored and logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The JCA standard name, which algorithms of several sizes share.
    #[must_use]
    pub const fn jca_name(self) -> &'static str {
        self.0.jca_name
    }

    /// The algorithm of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|algorithm| algorithm.name() == name)
    }

    /// The algorithm of RSA keys whose modulus has so many bits.
    #[must_use]
    pub fn rsa(bits: u32) -> Option<Self> {
        Self::all().find(|algorithm| algorithm.family() == KeyFamily::Rsa && algorithm.bits() == bits)
    }

    /// The algorithm of EC keys on a named curve (RFC 5480 section 2.1.1.1).
    #[must_use]
    pub fn on_curve(curve: ObjectIdentifier) -> Option<Self> {
        Self::all().find(|algorithm| algorithm.curve().is_some_and(|known| known.oid == curve))
    }

    /// The algorithm of `EdDSA` keys with this object identifier (RFC 8410 section 3).
    #[must_use]
    pub fn on_edwards_curve(oid: ObjectIdentifier) -> Option<Self> {
        let is_it = |parameters| matches!(parameters, KeyParameters::EdDsa(known) if known.oid == oid);
        Self::all().find(|algorithm| is_it(algorithm.parameters()))
    }

    /// Signature algorithms that a key of this kind can make, the default first.
    ///
    /// The default of an EC key follows its curve (RFC 7518 section 3.4).
    #[must_use]
    pub fn signature_algorithms(self) -> Vec<SignatureAlgorithm> {
        [&[self.0.default_signature], self.0.other_signatures].concat()
    }

    /// What a pair signs with unless it is asked for more: RSA in both schemes, EC with the
    /// hash of its curve.
    #[must_use]
    pub fn usual_signature_algorithms(self) -> Vec<SignatureAlgorithm> {
        match self.family() {
            KeyFamily::Rsa => self.signature_algorithms(),
            KeyFamily::Ec | KeyFamily::EdDsa => vec![self.default_signature_algorithm()],
        }
    }

    /// The signature algorithm used where none is asked for.
    #[must_use]
    pub const fn default_signature_algorithm(self) -> SignatureAlgorithm {
        self.0.default_signature
    }

    /// The place in the table.
    fn position(self) -> Option<usize> {
        Self::all().position(|known| known == self)
    }
}

impl PartialEq for KeyAlgorithm {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Eq for KeyAlgorithm {}

impl PartialOrd for KeyAlgorithm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyAlgorithm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position().cmp(&other.position())
    }
}

impl Hash for KeyAlgorithm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// By its place in the table, which two processes of one build share.
impl Serialize for KeyAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.position().and_then(|position| u32::try_from(position).ok());
        position.ok_or_else(|| S::Error::custom("an algorithm outside of the table"))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let position = u32::deserialize(deserializer)?;
        let found = usize::try_from(position).ok().and_then(|position| Self::all().nth(position));
        found.ok_or_else(|| D::Error::custom(format_args!("no key algorithm {position}")))
    }
}
