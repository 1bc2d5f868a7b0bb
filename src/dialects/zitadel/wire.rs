//! What requests say: the three kinds of key, their enumerations, ids.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::message::{Enumeration, Object, Presence};
use super::web_keys::WebKeyAlgorithms;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyAlgorithm, SignatureAlgorithm};

/// An enumeration whose names and numbers are those of the product.
macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident as $shown:ident { $($variant:ident = $word:tt),* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
        #[schema(as = $shown)]
        pub(super) enum $name { $(#[serde(rename = $word)] $variant),* }

        impl Enumeration for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),*];
            const NAMES: &'static [&'static str] = &[$($word),*];
        }
    };
}

enumeration! {
    /// The size of an RSA key. Requests may give the number of a name too: 0, 1, 2, 3.
    Bits as ZitadelRsaBits {
        Unspecified = "RSA_BITS_UNSPECIFIED",
        Bits2048 = "RSA_BITS_2048",
        Bits3072 = "RSA_BITS_3072",
        Bits4096 = "RSA_BITS_4096"
    }
}

enumeration! {
    /// The hash of RS256, RS384 and RS512. Requests may give the number of a name too: 0, 1, 2, 3.
    Hasher as ZitadelRsaHasher {
        Unspecified = "RSA_HASHER_UNSPECIFIED",
        Sha256 = "RSA_HASHER_SHA256",
        Sha384 = "RSA_HASHER_SHA384",
        Sha512 = "RSA_HASHER_SHA512"
    }
}

enumeration! {
    /// The curve of ES256, ES384 and ES512, whose curve is P-521. Requests may give the number of a name too.
    Curve as ZitadelEcdsaCurve {
        Unspecified = "ECDSA_CURVE_UNSPECIFIED",
        P256 = "ECDSA_CURVE_P256",
        P384 = "ECDSA_CURVE_P384",
        P512 = "ECDSA_CURVE_P512"
    }
}

/// The algorithms that the product's values mean, and back; what has no value is UNSPECIFIED.
macro_rules! meaning {
    ($name:ident as $of:ident { $zero:ident, $($variant:ident = $algorithm:ident),* }) => {
        impl $name {
            pub(super) const fn algorithm(self) -> $of {
                match self { Self::Unspecified => $of::$zero, $(Self::$variant => $of::$algorithm),* }
            }

            pub(super) fn of(algorithm: $of) -> Self {
                let mut known = [$(Self::$variant),*].into_iter();
                known.find(|value| value.algorithm() == algorithm).unwrap_or(Self::Unspecified)
            }
        }
    };
}

meaning! { Bits as KeyAlgorithm { RSA_2048, Bits2048 = RSA_2048, Bits3072 = RSA_3072, Bits4096 = RSA_4096 } }
meaning! { Curve as KeyAlgorithm { P256, P256 = P256, P384 = P384, P512 = P521 } }
meaning! { Hasher as SignatureAlgorithm {
    RSA_PKCS1_SHA256, Sha256 = RSA_PKCS1_SHA256, Sha384 = RSA_PKCS1_SHA384, Sha512 = RSA_PKCS1_SHA512
} }

/// A web key to be made: at most one of the three; RSA with 2048 bits and SHA-256 without any.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ZitadelCreateWebKeyRequest)]
pub(super) struct CreateWebKey {
    #[schema(value_type = Option<Rsa>)]
    rsa: Option<Object<Rsa>>,
    #[schema(value_type = Option<Ecdsa>)]
    ecdsa: Option<Object<Ecdsa>>,
    #[schema(value_type = Option<Ed25519>)]
    ed25519: Option<Object<Ed25519>>,
}

/// An RSA key that signs with PKCS#1 v1.5.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ZitadelNewRsa)]
struct Rsa {
    #[schema(value_type = Option<Bits>)]
    bits: Option<Presence<Bits>>,
    #[schema(value_type = Option<Hasher>)]
    hasher: Option<Presence<Hasher>>,
}

/// A key on one of the curves of NIST.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ZitadelNewEcdsa)]
struct Ecdsa {
    #[schema(value_type = Option<Curve>)]
    curve: Option<Presence<Curve>>,
}

/// An Ed25519 key: there is nothing to choose.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = ZitadelEd25519)]
pub(super) struct Ed25519 {}

/// A message that names a web key.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ZitadelWebKeyId)]
pub(super) struct NamedWebKey {
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "280543383892525058")]
    pub id: Option<String>,
}

/// A message without fields.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[schema(as = ZitadelEmpty)]
pub(super) struct Empty {}

/// What is made of a value that is absent or UNSPECIFIED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unspecified {
    /// It is refused, as the product's validation does before anybody looks at defaults.
    Refused,
    /// It means the documented default.
    Default,
}

impl CreateWebKey {
    /// The algorithms that a request stands for.
    ///
    /// # Errors
    /// `Invalid` when there are two kinds of key, or a value is none or must not be left open.
    pub(super) fn read(self, unspecified: Unspecified) -> Result<WebKeyAlgorithms, Error> {
        let (algorithm, signature_algorithm) = match (self.rsa, self.ecdsa, self.ed25519) {
            (None, None, None) => (KeyAlgorithm::RSA_2048, SignatureAlgorithm::RSA_PKCS1_SHA256),
            (Some(Object(rsa)), None, None) => rsa.read(unspecified)?,
            (None, Some(Object(ecdsa)), None) => {
                let algorithm = ecdsa.read(unspecified)?;
                (algorithm, algorithm.default_signature_algorithm())
            }
            (None, None, Some(_)) => (KeyAlgorithm::ED25519, SignatureAlgorithm::ED25519),
            _ => {
                let message = "oneof CreateWebKeyRequest.key is already set: give one of rsa, ecdsa and ed25519";
                return Err(Error::new(ErrorKind::Invalid, message));
            }
        };
        Ok(WebKeyAlgorithms { algorithm, signature_algorithm })
    }
}

impl Rsa {
    fn read(self, unspecified: Unspecified) -> Result<(KeyAlgorithm, SignatureAlgorithm), Error> {
        let rule = |field| Rule { message: "Rsa", kind: "RSA", field, unspecified };
        let (bits, hasher) = (rule("Bits").check(self.bits)?, rule("Hasher").check(self.hasher)?);
        Ok((bits.algorithm(), hasher.algorithm()))
    }
}

impl Ecdsa {
    fn read(self, unspecified: Unspecified) -> Result<KeyAlgorithm, Error> {
        let rule = Rule { message: "Ecdsa", kind: "ECDSA", field: "Curve", unspecified };
        Ok(rule.check(self.curve)?.algorithm())
    }
}

/// Where an enumerated value stands, in the words of the product's validation, and its rule.
struct Rule {
    message: &'static str,
    kind: &'static str,
    field: &'static str,
    unspecified: Unspecified,
}

impl Rule {
    fn check<T: Enumeration + PartialEq>(&self, given: Option<Presence<T>>) -> Result<T, Error> {
        let (zero, names) = (T::ALL.first(), T::NAMES);
        let given = given.or_else(|| zero.copied().map(Presence::Known));
        let broken = match given {
            Some(Presence::Known(value)) if Some(&value) != zero || self.unspecified == Unspecified::Default => {
                return Ok(value);
            }
            Some(Presence::Known(_)) => {
                format!("value must not be in list [{}]", names.first().copied().unwrap_or_default())
            }
            _ => "value must be one of the defined enum values".to_owned(),
        };
        let Self { message, kind, field, .. } = self;
        let accepted = names.get(1..).unwrap_or_default().join(", ");
        Err(Error::new(
            ErrorKind::Invalid,
            format!(
                "invalid CreateWebKeyRequest.{message}: embedded message failed validation | caused by: invalid \
                 {kind}.{field}: {broken}; accepted are {accepted}"
            ),
        ))
    }
}

/// Passes an id of 1 to 200 characters in a request of this name.
///
/// # Errors
/// `Invalid`.
pub(super) fn check_id(request: &str, id: &str) -> Result<(), Error> {
    if (1..=200).contains(&id.chars().count()) {
        return Ok(());
    }
    let message = format!("invalid {request}.Id: value length must be between 1 and 200 runes, inclusive");
    Err(Error::new(ErrorKind::Invalid, message))
}
