//! Public keys in certificates of others, in the one form in which keys are compared and used here.

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, ID_RSASSA_PSS, RSA_ENCRYPTION};
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use strongroom_domain::key::SpkiDer;

/// A public key that is known to be one, by its mathematics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForeignKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A curve by its identifier; the point compressed, as either form of it can be.
    Ec {
        curve: Vec<u8>,
        point: Vec<u8>,
    },
    /// Any other, by the whole of its encoding.
    Other(Vec<u8>),
}

impl ForeignKey {
    /// The key of a `SubjectPublicKeyInfo`, whatever form it has there.
    pub(super) fn of(spki: &[u8]) -> Option<Self> {
        let parsed = SubjectPublicKeyInfoRef::try_from(spki).ok()?;
        let bits = parsed.subject_public_key.as_bytes()?;
        match parsed.algorithm.oid {
            RSA_ENCRYPTION | ID_RSASSA_PSS => {
                let numbers = Vec::<UintRef<'_>>::from_der(bits).ok()?;
                let [modulus, exponent] = numbers.as_slice() else { return None };
                Some(Self::Rsa { modulus: modulus.as_bytes().to_vec(), exponent: exponent.as_bytes().to_vec() })
            }
            ID_EC_PUBLIC_KEY => {
                let curve = parsed.algorithm.parameters?.to_der().ok()?;
                Some(Self::Ec { curve, point: compressed(bits)? })
            }
            _ => Some(Self::Other(spki.to_vec())),
        }
    }
}

/// Whether both are the same key, in whatever forms they are encoded.
pub(super) fn is_same_key(one: &[u8], other: &[u8]) -> bool {
    one == other || ForeignKey::of(one).is_some_and(|key| ForeignKey::of(other).as_ref() == Some(&key))
}

/// An RSA key as `rsaEncryption` with the NULL that RFC 3279 section 2.3.1 asks for; any other key as it is.
pub(super) fn usual_form(spki: &[u8]) -> Option<SpkiDer> {
    let parsed = SubjectPublicKeyInfoRef::try_from(spki).ok()?;
    if ![RSA_ENCRYPTION, ID_RSASSA_PSS].contains(&parsed.algorithm.oid) {
        return SpkiDer::parse(spki.to_vec()).ok();
    }
    let usual = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) },
        subject_public_key: BitStringRef::from_bytes(parsed.subject_public_key.as_bytes()?).ok()?,
    };
    SpkiDer::parse(usual.to_der().ok()?).ok()
}

/// A point (SEC 1 section 2.3.3) with its second coordinate left to one bit.
fn compressed(point: &[u8]) -> Option<Vec<u8>> {
    match point.split_first()? {
        (2 | 3, _) => Some(point.to_vec()),
        // The hybrid form says the bit and the coordinate.
        (4 | 6 | 7, coordinates) if coordinates.len().is_multiple_of(2) => {
            let (x, y) = coordinates.split_at(coordinates.len() / 2);
            Some([&[2 | (y.last()? & 1)], x].concat())
        }
        _ => None,
    }
}
