//! Signatures in certificates that others made: verified where that can be done here, and told apart where it cannot.

use aws_lc_rs::digest::{self, Algorithm, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_224, ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_EC_PUBLIC_KEY, ID_RSASSA_PSS,
    SECP_256_R_1, SECP_384_R_1, SECP_521_R_1, SHA_1_WITH_RSA_ENCRYPTION, SHA_224_WITH_RSA_ENCRYPTION,
    SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use super::algorithm::{hash_of, jca_name, pss_parameters};
use super::foreign_key::ForeignKey;
use super::rsa_public::RsaPublicKey;

const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
const SECP_256_K_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// What is known of a signature and a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ForeignSignature {
    Verified,
    /// The key did not make it.
    Refuted,
    /// Nothing here verifies signatures of this kind, in words.
    Unverifiable(String),
}

/// Verifies the signature of a certificate by a public key.
pub(super) fn verify_foreign(
    spki: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> ForeignSignature {
    match algorithm.oid {
        SHA_1_WITH_RSA_ENCRYPTION
        | SHA_224_WITH_RSA_ENCRYPTION
        | SHA_256_WITH_RSA_ENCRYPTION
        | SHA_384_WITH_RSA_ENCRYPTION
        | SHA_512_WITH_RSA_ENCRYPTION
        | ID_RSASSA_PSS => rsa(spki, algorithm, message, signature),
        ECDSA_WITH_SHA_1 | ECDSA_WITH_SHA_224 | ECDSA_WITH_SHA_256 | ECDSA_WITH_SHA_384 | ECDSA_WITH_SHA_512 => {
            ecdsa(spki, algorithm.oid, message, signature)
        }
        ID_ED_25519 => match SubjectPublicKeyInfoRef::try_from(spki) {
            Ok(key) if key.algorithm.oid == ID_ED_25519 => {
                verdict(UnparsedPublicKey::new(&ED25519, spki).verify(message, signature).is_ok())
            }
            _ => ForeignSignature::Refuted,
        },
        _ => ForeignSignature::Unverifiable(jca_name(algorithm)),
    }
}

fn rsa(spki: &[u8], algorithm: &AlgorithmIdentifierOwned, message: &[u8], signature: &[u8]) -> ForeignSignature {
    let Some(ForeignKey::Rsa { modulus, exponent }) = ForeignKey::of(spki) else { return ForeignSignature::Refuted };
    let key = match RsaPublicKey::new(&modulus, &exponent) {
        Ok(key) => key,
        Err(why) => return ForeignSignature::Unverifiable(format!("{} with {why}", jca_name(algorithm))),
    };
    if algorithm.oid != ID_RSASSA_PSS {
        return match hash(algorithm.oid) {
            Some(hash) => verdict(key.verifies_pkcs1(hash, message, signature)),
            None => ForeignSignature::Unverifiable(jca_name(algorithm)),
        };
    }
    let Some(parameters) = pss_parameters(algorithm) else {
        return ForeignSignature::Unverifiable("RSASSA-PSS with parameters that cannot be read".to_owned());
    };
    let (Some(hash), Some(mask)) = (hash_of(parameters.hash), hash_of(parameters.mask_hash)) else {
        return ForeignSignature::Unverifiable("RSASSA-PSS with a hash that is not known here".to_owned());
    };
    verdict(key.verifies_pss(hash, mask, parameters.salt_length, message, signature))
}

fn ecdsa(spki: &[u8], algorithm: ObjectIdentifier, message: &[u8], signature: &[u8]) -> ForeignSignature {
    let key = SubjectPublicKeyInfoRef::try_from(spki).ok().filter(|key| key.algorithm.oid == ID_EC_PUBLIC_KEY);
    let (Some(key), Some(hash)) = (key, hash(algorithm)) else { return ForeignSignature::Refuted };
    let Ok(curve) = key.algorithm.parameters_oid() else {
        return ForeignSignature::Unverifiable("ECDSA on a curve without a name".to_owned());
    };
    let (verification, width): (&'static EcdsaVerificationAlgorithm, _) = match curve {
        SECP_256_R_1 => (&ECDSA_P256_SHA256_ASN1, &digest::SHA256),
        SECP_256_K_1 => (&ECDSA_P256K1_SHA256_ASN1, &digest::SHA256),
        SECP_384_R_1 => (&ECDSA_P384_SHA384_ASN1, &digest::SHA384),
        SECP_521_R_1 => (&ECDSA_P521_SHA512_ASN1, &digest::SHA512),
        other => return ForeignSignature::Unverifiable(format!("ECDSA on the curve {}", curve_name(other))),
    };
    let digest = as_wide_as(digest::digest(hash, message).as_ref(), width);
    let verified = digest
        .is_some_and(|digest| UnparsedPublicKey::new(verification, spki).verify_digest(&digest, signature).is_ok());
    verdict(verified)
}

/// A digest that stands for the same number as another: ECDSA takes the leftmost bits of one that is longer than the
/// curve's order, and the whole of a shorter one (FIPS 186-5 section 6.4.1).
fn as_wide_as(digest: &[u8], algorithm: &'static Algorithm) -> Option<Digest> {
    let width = algorithm.output_len();
    let mut number = vec![0; width.saturating_sub(digest.len())];
    number.extend(digest.iter().take(width));
    Digest::import_less_safe(&number, algorithm).ok()
}

/// The hash of a signature algorithm that names one.
fn hash(algorithm: ObjectIdentifier) -> Option<&'static Algorithm> {
    match algorithm {
        SHA_1_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        SHA_224_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_224 => Some(&digest::SHA224),
        SHA_256_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_256 => Some(&digest::SHA256),
        SHA_384_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_384 => Some(&digest::SHA384),
        SHA_512_WITH_RSA_ENCRYPTION | ECDSA_WITH_SHA_512 => Some(&digest::SHA512),
        _ => None,
    }
}

/// The name of a curve that occurs in certificates, else its identifier.
pub(super) fn curve_name(curve: ObjectIdentifier) -> String {
    const BRAINPOOL: [(&str, &str); 7] = [
        ("1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1"),
        ("1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1"),
        ("1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1"),
        ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
        ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1"),
        ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
        ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    ];
    let curve = curve.to_string();
    BRAINPOOL.iter().find(|(id, _)| *id == curve).map_or(curve, |(_, name)| (*name).to_owned())
}

const fn verdict(verified: bool) -> ForeignSignature {
    if verified { ForeignSignature::Verified } else { ForeignSignature::Refuted }
}
