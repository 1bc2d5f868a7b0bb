//! Which mechanism makes which signature (PKCS#11 current mechanisms, sections 6.1 and 6.3).

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismInfo, MechanismType};
use cryptoki::object::KeyType;

use crate::protocol::SealingScheme;
use strongroom_domain::key::{
    DecryptionAlgorithm, HashAlgorithm, KeyAlgorithm, KeyFamily, SignatureAlgorithm, SignatureScheme,
};

/// Sizes of RSA keys that seal, the best first.
const SEALING_BITS: [u32; 2] = [3072, 2048];

/// What a token can do, as it says.
pub(super) type MechanismList = Vec<(MechanismType, MechanismInfo)>;

/// The mechanism that signs what this host has hashed; for Ed25519 the message itself.
pub(super) fn raw(algorithm: SignatureAlgorithm) -> Mechanism<'static> {
    match algorithm.scheme() {
        SignatureScheme::RsaPkcs1(_) => Mechanism::RsaPkcs,
        SignatureScheme::RsaPss(hash) => Mechanism::RsaPkcsPss(pss(hash)),
        SignatureScheme::Ecdsa(_) => Mechanism::Ecdsa,
        SignatureScheme::EdDsa => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
    }
}

/// The mechanism that hashes in the token.
pub(super) fn hashing(algorithm: SignatureAlgorithm) -> Mechanism<'static> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    match algorithm.scheme() {
        SignatureScheme::RsaPkcs1(Sha256) => Mechanism::Sha256RsaPkcs,
        SignatureScheme::RsaPkcs1(Sha384) => Mechanism::Sha384RsaPkcs,
        SignatureScheme::RsaPkcs1(Sha512) => Mechanism::Sha512RsaPkcs,
        SignatureScheme::RsaPss(hash @ Sha256) => Mechanism::Sha256RsaPkcsPss(pss(hash)),
        SignatureScheme::RsaPss(hash @ Sha384) => Mechanism::Sha384RsaPkcsPss(pss(hash)),
        SignatureScheme::RsaPss(hash @ Sha512) => Mechanism::Sha512RsaPkcsPss(pss(hash)),
        SignatureScheme::Ecdsa(Sha256) => Mechanism::EcdsaSha256,
        SignatureScheme::Ecdsa(Sha384) => Mechanism::EcdsaSha384,
        SignatureScheme::Ecdsa(Sha512) => Mechanism::EcdsaSha512,
        SignatureScheme::EdDsa => raw(algorithm),
    }
}

/// The mechanism that decrypts.
pub(super) fn oaep(algorithm: DecryptionAlgorithm) -> Mechanism<'static> {
    let (hash, mgf) = match algorithm {
        DecryptionAlgorithm::RsaOaep => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
        DecryptionAlgorithm::RsaOaep256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
    };
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mgf, PkcsOaepSource::empty()))
}

/// The mechanism that makes a key pair.
pub(super) const fn key_pair(algorithm: KeyAlgorithm) -> Mechanism<'static> {
    match algorithm.family() {
        KeyFamily::Rsa => Mechanism::RsaPkcsKeyPairGen,
        KeyFamily::Ec => Mechanism::EccKeyPairGen,
        KeyFamily::EdDsa => Mechanism::EccEdwardsKeyPairGen,
    }
}

/// `CKA_KEY_TYPE` of both halves.
pub(super) const fn key_type(algorithm: KeyAlgorithm) -> KeyType {
    match algorithm.family() {
        KeyFamily::Rsa => KeyType::RSA,
        KeyFamily::Ec => KeyType::EC,
        KeyFamily::EdDsa => KeyType::EC_EDWARDS,
    }
}

/// Whether the token signs with `mechanism`.
pub(super) fn signs(mechanisms: &MechanismList, mechanism: &Mechanism<'_>) -> bool {
    info(mechanisms, mechanism.mechanism_type()).is_some_and(MechanismInfo::sign)
}

/// Whether the token decrypts by RSA-OAEP, with some hash.
pub(super) fn decrypts(mechanisms: &MechanismList) -> bool {
    info(mechanisms, MechanismType::RSA_PKCS_OAEP).is_some_and(MechanismInfo::decrypt)
}

/// What the token can generate, and how such a key can sign; an algorithm whose keys
/// could not sign is left out.
pub(super) fn algorithms(mechanisms: &MechanismList) -> Vec<(KeyAlgorithm, Vec<SignatureAlgorithm>)> {
    KeyAlgorithm::all()
        .filter(|key| generates(mechanisms, *key))
        .map(|key| {
            let able = |algorithm: &SignatureAlgorithm| {
                signs(mechanisms, &raw(*algorithm)) || signs(mechanisms, &hashing(*algorithm))
            };
            (key, key.signature_algorithms().into_iter().filter(able).collect::<Vec<_>>())
        })
        .filter(|(_, signatures)| !signatures.is_empty())
        .collect()
}

/// How the token would seal: the best way that all its flags allow.
pub(super) fn sealing(mechanisms: &MechanismList) -> Option<SealingScheme> {
    let able = |kind, how: fn(&MechanismInfo) -> bool| info(mechanisms, kind).is_some_and(how);
    let makes_aes = able(MechanismType::AES_KEY_GEN, MechanismInfo::generate);
    if makes_aes && able(MechanismType::AES_GCM, |info| info.encrypt() && info.decrypt()) {
        Some(SealingScheme::AesGcm)
    } else if makes_aes && able(MechanismType::AES_KEY_WRAP, |info| info.wrap() && info.unwrap()) {
        Some(SealingScheme::AesKeyWrap)
    } else if decrypts(mechanisms) && sealing_rsa(mechanisms).is_some() {
        Some(SealingScheme::SignedOaep)
    } else {
        None
    }
}

/// The RSA keys that seal where AES does not.
pub(super) fn sealing_rsa(mechanisms: &MechanismList) -> Option<KeyAlgorithm> {
    let able = algorithms(mechanisms);
    let makes = |algorithm: &KeyAlgorithm| able.iter().any(|(known, _)| known == algorithm);
    SEALING_BITS.into_iter().filter_map(KeyAlgorithm::rsa).find(makes)
}

/// Whether the token unwraps keys with AES key wrap with padding.
pub(super) fn unwraps_padded(mechanisms: &MechanismList) -> bool {
    info(mechanisms, MechanismType::AES_KEY_WRAP_PAD).is_some_and(MechanismInfo::unwrap)
}

fn generates(mechanisms: &MechanismList, key: KeyAlgorithm) -> bool {
    info(mechanisms, key_pair(key).mechanism_type()).is_some_and(|info| {
        // Sizes of Edwards keys are given as 255, 256 or 32 by different modules.
        let fits = key.family() == KeyFamily::EdDsa
            || usize::try_from(key.bits()).is_ok_and(|bits| {
                info.min_key_size() <= bits && (info.max_key_size() == 0 || bits <= info.max_key_size())
            });
        info.generate_key_pair() && fits
    })
}

fn info(mechanisms: &MechanismList, kind: MechanismType) -> Option<&MechanismInfo> {
    mechanisms.iter().find(|(known, _)| *known == kind).map(|(_, info)| info)
}

fn pss(hash: HashAlgorithm) -> PkcsPssParams {
    let (hash_alg, mgf, salt) = match hash {
        HashAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        HashAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        HashAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
    };
    PkcsPssParams { hash_alg, mgf, s_len: salt.into() }
}
