//! Signature algorithms as certificates identify them: to `AlgorithmIdentifier` and
//! back to the names that users see.

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_224, ID_EC_PUBLIC_KEY, ID_MGF_1, ID_RSASSA_PSS, ID_SHA_1, ID_SHA_224, ID_SHA_256, ID_SHA_384,
    ID_SHA_512, MD_5_WITH_RSA_ENCRYPTION, RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION, SHA_224_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_448;
use der::asn1::{Any, UintRef};
use der::{Decode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, SignatureAlgorithm, SignatureScheme, SpkiDer};

/// Algorithms that only the certificates of others are signed with, by JCA name.
const FOREIGN: [(ObjectIdentifier, &str); 10] = [
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2"), "MD2withRSA"),
    (MD_5_WITH_RSA_ENCRYPTION, "MD5withRSA"),
    (SHA_1_WITH_RSA_ENCRYPTION, "SHA1withRSA"),
    (SHA_224_WITH_RSA_ENCRYPTION, "SHA224withRSA"),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), "SHA1withECDSA"),
    (ECDSA_WITH_SHA_224, "SHA224withECDSA"),
    (ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"), "SHA1withDSA"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.1"), "SHA224withDSA"),
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.2"), "SHA256withDSA"),
    (ID_ED_448, "Ed448"),
];

/// The identifier that a certificate carries (RFC 4055 sections 3 and 5, RFC 5758
/// section 3.2, RFC 8410 section 3).
pub(super) fn identifier(algorithm: SignatureAlgorithm) -> der::Result<AlgorithmIdentifierOwned> {
    let parameters = match algorithm.scheme() {
        SignatureScheme::RsaPkcs1(_) => Some(Any::null()),
        SignatureScheme::RsaPss(hash) => Some(Any::encode_from(&PssParameters::of(hash)?)?),
        SignatureScheme::Ecdsa(_) | SignatureScheme::EdDsa => None,
    };
    Ok(AlgorithmIdentifierOwned { oid: algorithm.oid(), parameters })
}

/// The algorithm of a public key; `None` for those that no key pair here can have.
#[must_use]
pub fn algorithm_of(spki: &SpkiDer) -> Option<KeyAlgorithm> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).ok()?;
    match spki.algorithm.oid {
        RSA_ENCRYPTION => {
            let modulus = Vec::<UintRef<'_>>::from_der(spki.subject_public_key.as_bytes()?).ok()?;
            rsa_algorithm(modulus.first()?)
        }
        ID_EC_PUBLIC_KEY => KeyAlgorithm::on_curve(spki.algorithm.parameters_oid().ok()?),
        other => KeyAlgorithm::on_edwards_curve(other),
    }
}

/// The algorithm of RSA keys with this modulus.
#[must_use]
pub fn rsa_algorithm(modulus: &UintRef<'_>) -> Option<KeyAlgorithm> {
    KeyAlgorithm::rsa(rsa_bits(modulus))
}

/// The size of a modulus in bits.
#[must_use]
pub fn rsa_bits(modulus: &UintRef<'_>) -> u32 {
    let bytes = modulus.as_bytes();
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX) - leading
}

/// The JCA name of an identifier, else its dotted OID.
pub(super) fn jca_name(identifier: &AlgorithmIdentifierOwned) -> String {
    if identifier.oid == ID_RSASSA_PSS {
        return pss_name(identifier).unwrap_or_else(|| identifier.oid.to_string());
    }
    let ours = SignatureAlgorithm::all().find(|algorithm| algorithm.oid() == identifier.oid);
    let foreign = || FOREIGN.iter().find(|(oid, _)| *oid == identifier.oid).map(|(_, name)| *name);
    ours.map(SignatureAlgorithm::jca_name).or_else(foreign).map_or_else(|| identifier.oid.to_string(), str::to_owned)
}

/// `RSASSA-PSS-params` (RFC 4055 section 3.1). What is absent has its default, which
/// is never what this daemon signs with: SHA-1, MGF1 with SHA-1, and a salt of 20 bytes.
#[derive(Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", optional = "true")]
    salt_length: Option<u32>,
    #[asn1(context_specific = "3", optional = "true")]
    trailer: Option<u32>,
}

impl PssParameters {
    /// MGF1 with the same hash and a salt as long as the digest.
    fn of(hash: HashAlgorithm) -> der::Result<Self> {
        let salt_length = u32::try_from(hash.output_len())?;
        let digest = AlgorithmIdentifierOwned { oid: hash.oid(), parameters: Some(Any::null()) };
        let mask = AlgorithmIdentifierOwned { oid: ID_MGF_1, parameters: Some(Any::encode_from(&digest)?) };
        Ok(Self { hash: Some(digest), mask: Some(mask), salt_length: Some(salt_length), trailer: None })
    }
}

/// What a signature by RSASSA-PSS was made with.
pub(super) struct PssFacts {
    pub(super) hash: ObjectIdentifier,
    /// The hash of MGF1.
    pub(super) mask_hash: ObjectIdentifier,
    pub(super) salt_length: usize,
}

/// The parameters of an identifier of RSASSA-PSS, defaults filled in; `None` where they cannot be read.
pub(super) fn pss_parameters(identifier: &AlgorithmIdentifierOwned) -> Option<PssFacts> {
    let parameters: PssParameters = identifier.parameters.as_ref()?.decode_as().ok()?;
    let mask_hash = match parameters.mask {
        Some(mask) if mask.oid == ID_MGF_1 => mask.parameters?.decode_as::<AlgorithmIdentifierOwned>().ok()?.oid,
        Some(_) => return None,
        None => ID_SHA_1,
    };
    let salt_length = usize::try_from(parameters.salt_length.unwrap_or(20)).ok()?;
    Some(PssFacts { hash: parameters.hash.map_or(ID_SHA_1, |hash| hash.oid), mask_hash, salt_length })
}

/// The implementation of a hash by its identifier.
pub(super) fn hash_of(oid: ObjectIdentifier) -> Option<&'static digest::Algorithm> {
    match oid {
        ID_SHA_1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        ID_SHA_224 => Some(&digest::SHA224),
        ID_SHA_256 => Some(&digest::SHA256),
        ID_SHA_384 => Some(&digest::SHA384),
        ID_SHA_512 => Some(&digest::SHA512),
        _ => None,
    }
}

fn pss_name(identifier: &AlgorithmIdentifierOwned) -> Option<String> {
    let parameters: PssParameters = identifier.parameters.as_ref()?.decode_as().ok()?;
    let word = match parameters.hash.map_or(ID_SHA_1, |hash| hash.oid) {
        ID_SHA_1 => "SHA1",
        ID_SHA_224 => "SHA224",
        other => HashAlgorithm::ALL.into_iter().find(|hash| hash.oid() == other)?.name(),
    };
    Some(format!("{word}withRSAandMGF1"))
}
