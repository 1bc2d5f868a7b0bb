//! The table of algorithms: hashes, curves, signature algorithms, key algorithms.
//!
//! A new key algorithm is a row of [`KEYS`] and its name in [`KeyAlgorithm`].

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RsaEncoding, VerificationAlgorithm};
use aws_lc_rs::{agreement, digest, signature};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::hash::HashRow;
use super::key::KeyRow;
use super::signature::{Implementation, JoseName, SignatureRow};
use super::{EcCurve, EdwardsCurve, HashAlgorithm, KeyAlgorithm, KeyParameters, SignatureAlgorithm, SignatureScheme};
use HashAlgorithm::{Sha256, Sha384, Sha512};

impl HashAlgorithm {
    pub(super) const fn row(self) -> &'static HashRow {
        match self {
            Self::Sha256 => {
                &HashRow { name: "SHA256", output_len: 32, oid: rfc5912::ID_SHA_256, implementation: &digest::SHA256 }
            }
            Self::Sha384 => {
                &HashRow { name: "SHA384", output_len: 48, oid: rfc5912::ID_SHA_384, implementation: &digest::SHA384 }
            }
            Self::Sha512 => {
                &HashRow { name: "SHA512", output_len: 64, oid: rfc5912::ID_SHA_512, implementation: &digest::SHA512 }
            }
        }
    }
}

static CURVE_P256: EcCurve = EcCurve {
    name: "P-256",
    oid: rfc5912::SECP_256_R_1,
    scalar_len: 32,
    hash: Sha256,
    signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    verification: &signature::ECDSA_P256_SHA256_FIXED,
    verification_asn1: [
        (Sha256, &signature::ECDSA_P256_SHA256_ASN1),
        (Sha384, &signature::ECDSA_P256_SHA384_ASN1),
        (Sha512, &signature::ECDSA_P256_SHA512_ASN1),
    ],
    agreement: &agreement::ECDH_P256,
};

static CURVE_P384: EcCurve = EcCurve {
    name: "P-384",
    oid: rfc5912::SECP_384_R_1,
    scalar_len: 48,
    hash: Sha384,
    signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
    verification: &signature::ECDSA_P384_SHA384_FIXED,
    verification_asn1: [
        (Sha256, &signature::ECDSA_P384_SHA256_ASN1),
        (Sha384, &signature::ECDSA_P384_SHA384_ASN1),
        (Sha512, &signature::ECDSA_P384_SHA512_ASN1),
    ],
    agreement: &agreement::ECDH_P384,
};

static CURVE_P521: EcCurve = EcCurve {
    name: "P-521",
    oid: rfc5912::SECP_521_R_1,
    scalar_len: 66,
    hash: Sha512,
    signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
    verification: &signature::ECDSA_P521_SHA512_FIXED,
    verification_asn1: [
        (Sha256, &signature::ECDSA_P521_SHA256_ASN1),
        (Sha384, &signature::ECDSA_P521_SHA384_ASN1),
        (Sha512, &signature::ECDSA_P521_SHA512_ASN1),
    ],
    agreement: &agreement::ECDH_P521,
};

static CURVE_ED25519: EdwardsCurve =
    EdwardsCurve { name: "Ed25519", oid: rfc8410::ID_ED_25519, point_len: 32, pkcs11_name: "edwards25519" };

/// Every signature algorithm, by scheme and hash.
static SIGNATURES: [SignatureRow; 10] = [
    pkcs1(
        "SHA256withRSA",
        "RS256",
        Sha256,
        rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        &signature::RSA_PKCS1_SHA256,
        &signature::RSA_PKCS1_2048_8192_SHA256,
    ),
    pkcs1(
        "SHA384withRSA",
        "RS384",
        Sha384,
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        &signature::RSA_PKCS1_SHA384,
        &signature::RSA_PKCS1_2048_8192_SHA384,
    ),
    pkcs1(
        "SHA512withRSA",
        "RS512",
        Sha512,
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        &signature::RSA_PKCS1_SHA512,
        &signature::RSA_PKCS1_2048_8192_SHA512,
    ),
    pss("SHA256withRSAandMGF1", "PS256", Sha256, &signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
    pss("SHA384withRSAandMGF1", "PS384", Sha384, &signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
    pss("SHA512withRSAandMGF1", "PS512", Sha512, &signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
    ecdsa("SHA256withECDSA", "ES256", "P-256", Sha256, rfc5912::ECDSA_WITH_SHA_256),
    ecdsa("SHA384withECDSA", "ES384", "P-384", Sha384, rfc5912::ECDSA_WITH_SHA_384),
    ecdsa("SHA512withECDSA", "ES512", "P-521", Sha512, rfc5912::ECDSA_WITH_SHA_512),
    SignatureRow {
        jca_name: "Ed25519",
        jose: JoseName { name: "EdDSA", curve: None },
        scheme: SignatureScheme::EdDsa,
        oid: rfc8410::ID_ED_25519,
        implementation: Implementation::EdDsa(&signature::ED25519),
    },
];

const fn pkcs1(
    jca_name: &'static str,
    jose: &'static str,
    hash: HashAlgorithm,
    oid: ObjectIdentifier,
    sign: &'static dyn RsaEncoding,
    verify: &'static dyn VerificationAlgorithm,
) -> SignatureRow {
    let (jose, scheme) = (JoseName { name: jose, curve: None }, SignatureScheme::RsaPkcs1(hash));
    SignatureRow { jca_name, jose, scheme, oid, implementation: Implementation::Rsa(sign, verify) }
}

const fn pss(
    jca_name: &'static str,
    jose: &'static str,
    hash: HashAlgorithm,
    sign: &'static dyn RsaEncoding,
    verify: &'static dyn VerificationAlgorithm,
) -> SignatureRow {
    let (jose, scheme) = (JoseName { name: jose, curve: None }, SignatureScheme::RsaPss(hash));
    let implementation = Implementation::Rsa(sign, verify);
    SignatureRow { jca_name, jose, scheme, oid: rfc5912::ID_RSASSA_PSS, implementation }
}

/// JOSE names ECDSA with a hash for the keys of one curve alone.
const fn ecdsa(
    jca_name: &'static str,
    jose: &'static str,
    curve: &'static str,
    hash: HashAlgorithm,
    oid: ObjectIdentifier,
) -> SignatureRow {
    let (jose, scheme) = (JoseName { name: jose, curve: Some(curve) }, SignatureScheme::Ecdsa(hash));
    SignatureRow { jca_name, jose, scheme, oid, implementation: Implementation::Curve }
}

impl SignatureAlgorithm {
    pub const RSA_PKCS1_SHA256: Self = Self(&SIGNATURES[0]);
    pub const RSA_PKCS1_SHA384: Self = Self(&SIGNATURES[1]);
    pub const RSA_PKCS1_SHA512: Self = Self(&SIGNATURES[2]);
    pub const RSA_PSS_SHA256: Self = Self(&SIGNATURES[3]);
    pub const RSA_PSS_SHA384: Self = Self(&SIGNATURES[4]);
    pub const RSA_PSS_SHA512: Self = Self(&SIGNATURES[5]);
    pub const ECDSA_SHA256: Self = Self(&SIGNATURES[6]);
    pub const ECDSA_SHA384: Self = Self(&SIGNATURES[7]);
    pub const ECDSA_SHA512: Self = Self(&SIGNATURES[8]);
    pub const ED25519: Self = Self(&SIGNATURES[9]);
}

impl From<SignatureScheme> for SignatureAlgorithm {
    fn from(scheme: SignatureScheme) -> Self {
        match scheme {
            SignatureScheme::RsaPkcs1(Sha256) => Self::RSA_PKCS1_SHA256,
            SignatureScheme::RsaPkcs1(Sha384) => Self::RSA_PKCS1_SHA384,
            SignatureScheme::RsaPkcs1(Sha512) => Self::RSA_PKCS1_SHA512,
            SignatureScheme::RsaPss(Sha256) => Self::RSA_PSS_SHA256,
            SignatureScheme::RsaPss(Sha384) => Self::RSA_PSS_SHA384,
            SignatureScheme::RsaPss(Sha512) => Self::RSA_PSS_SHA512,
            SignatureScheme::Ecdsa(Sha256) => Self::ECDSA_SHA256,
            SignatureScheme::Ecdsa(Sha384) => Self::ECDSA_SHA384,
            SignatureScheme::Ecdsa(Sha512) => Self::ECDSA_SHA512,
            SignatureScheme::EdDsa => Self::ED25519,
        }
    }
}

const OTHER_RSA: &[SignatureAlgorithm] = &[
    SignatureAlgorithm::RSA_PKCS1_SHA384,
    SignatureAlgorithm::RSA_PKCS1_SHA512,
    SignatureAlgorithm::RSA_PSS_SHA256,
    SignatureAlgorithm::RSA_PSS_SHA384,
    SignatureAlgorithm::RSA_PSS_SHA512,
];

/// Every key algorithm, by family and size. Processes of one build name a row by its place.
static KEYS: [KeyRow; 7] = [
    KeyRow {
        name: "rsa-2048",
        jca_name: "RSA",
        bits: 2048,
        default_signature: SignatureAlgorithm::RSA_PKCS1_SHA256,
        other_signatures: OTHER_RSA,
        parameters: KeyParameters::Rsa(KeySize::Rsa2048),
    },
    KeyRow {
        name: "rsa-3072",
        jca_name: "RSA",
        bits: 3072,
        default_signature: SignatureAlgorithm::RSA_PKCS1_SHA256,
        other_signatures: OTHER_RSA,
        parameters: KeyParameters::Rsa(KeySize::Rsa3072),
    },
    KeyRow {
        name: "rsa-4096",
        jca_name: "RSA",
        bits: 4096,
        default_signature: SignatureAlgorithm::RSA_PKCS1_SHA256,
        other_signatures: OTHER_RSA,
        parameters: KeyParameters::Rsa(KeySize::Rsa4096),
    },
    KeyRow {
        name: "p-256",
        jca_name: "EC",
        bits: 256,
        default_signature: SignatureAlgorithm::ECDSA_SHA256,
        other_signatures: &[SignatureAlgorithm::ECDSA_SHA384, SignatureAlgorithm::ECDSA_SHA512],
        parameters: KeyParameters::Ec(&CURVE_P256),
    },
    KeyRow {
        name: "p-384",
        jca_name: "EC",
        bits: 384,
        default_signature: SignatureAlgorithm::ECDSA_SHA384,
        other_signatures: &[SignatureAlgorithm::ECDSA_SHA256, SignatureAlgorithm::ECDSA_SHA512],
        parameters: KeyParameters::Ec(&CURVE_P384),
    },
    KeyRow {
        name: "p-521",
        jca_name: "EC",
        bits: 521,
        default_signature: SignatureAlgorithm::ECDSA_SHA512,
        other_signatures: &[SignatureAlgorithm::ECDSA_SHA256, SignatureAlgorithm::ECDSA_SHA384],
        parameters: KeyParameters::Ec(&CURVE_P521),
    },
    KeyRow {
        name: "ed25519",
        jca_name: "Ed25519",
        bits: 256,
        default_signature: SignatureAlgorithm::ED25519,
        other_signatures: &[],
        parameters: KeyParameters::EdDsa(&CURVE_ED25519),
    },
];

impl KeyAlgorithm {
    pub const RSA_2048: Self = Self(&KEYS[0]);
    pub const RSA_3072: Self = Self(&KEYS[1]);
    pub const RSA_4096: Self = Self(&KEYS[2]);
    pub const P256: Self = Self(&KEYS[3]);
    pub const P384: Self = Self(&KEYS[4]);
    pub const P521: Self = Self(&KEYS[5]);
    pub const ED25519: Self = Self(&KEYS[6]);
}

/// The rows of the table of key algorithms.
pub(super) fn key_rows() -> impl Iterator<Item = &'static KeyRow> + Clone {
    KEYS.iter().chain(more::key_rows())
}

/// The rows of the table of signature algorithms.
pub(super) fn signature_rows() -> impl Iterator<Item = &'static SignatureRow> + Clone {
    SIGNATURES.iter()
}

/// A row that tests add by `STRONGROOM_TEST_ALGORITHM=p-384-sha512`: everything that a key algorithm
/// appears in must take it from the table.
#[cfg(feature = "test-hooks")]
mod more {
    use std::sync::OnceLock;

    use super::{CURVE_P384, KeyParameters, KeyRow, SignatureAlgorithm};

    static P384_SHA512: KeyRow = KeyRow {
        name: "p-384-sha512",
        jca_name: "EC-SHA512",
        bits: 384,
        default_signature: SignatureAlgorithm::ECDSA_SHA512,
        other_signatures: &[SignatureAlgorithm::ECDSA_SHA256, SignatureAlgorithm::ECDSA_SHA384],
        parameters: KeyParameters::Ec(&CURVE_P384),
    };

    pub(super) fn key_rows() -> impl Iterator<Item = &'static KeyRow> + Clone {
        static WANTED: OnceLock<bool> = OnceLock::new();
        let wanted = || std::env::var("STRONGROOM_TEST_ALGORITHM").is_ok_and(|name| name == P384_SHA512.name);
        WANTED.get_or_init(wanted).then_some(&P384_SHA512).into_iter()
    }
}

#[cfg(not(feature = "test-hooks"))]
mod more {
    pub(super) const fn key_rows() -> [&'static super::KeyRow; 0] {
        []
    }
}
