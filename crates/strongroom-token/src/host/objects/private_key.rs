//! Private keys that come in: PKCS#8 (RFC 5958) checked, and taken apart into the
//! attributes of PKCS#11 (RFC 8017 appendix A.1.2, RFC 5480, RFC 8410 section 7).

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use cryptoki::object::Attribute;
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierRef;
use zeroize::{Zeroize as _, Zeroizing};

use super::public_key::{RSA_EXPONENT, ec_params};
use crate::protocol::{CallFailure, FailureClass};
use strongroom_domain::key::{EcCurve, KeyAlgorithm, KeyParameters, RsaPrivateKey};

/// A private key that is whole and of the algorithm that was named.
pub(in crate::host) struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    spki: Vec<u8>,
    public: Vec<Attribute>,
    private: SecretParts,
}

impl PrivateKey {
    /// Reads PKCS#8, with or without the public key, and checks that its parts agree.
    ///
    /// # Errors
    /// `Refused` when it is no such key, or an RSA key with an unusual exponent.
    pub(in crate::host) fn parse(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> Result<Self, CallFailure> {
        let refused = |Rejected| {
            let detail = format!("what was given is no private key {algorithm} (RSA with the exponent 65537)");
            CallFailure::new(FailureClass::Refused, detail)
        };
        match algorithm.parameters() {
            KeyParameters::Rsa(_) => rsa(algorithm, pkcs8),
            KeyParameters::Ec(curve) => ec(algorithm, curve, pkcs8),
            KeyParameters::EdDsa(_) => ed25519(algorithm, pkcs8),
        }
        .map_err(refused)
    }

    /// PKCS#8 in its first version, which every token that unwraps keys can read.
    pub(in crate::host) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(in crate::host) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The attributes that only a public object has.
    pub(in crate::host) fn public_parts(&self) -> Vec<Attribute> {
        self.public.clone()
    }

    /// The attributes that only a private object has, after those of `template`.
    pub(in crate::host) fn with_secret_parts(&self, mut template: Vec<Attribute>) -> SecretParts {
        template.extend_from_slice(&self.private.0);
        SecretParts(template)
    }
}

/// Attributes of which some are secret: these are wiped when dropped.
pub(in crate::host) struct SecretParts(pub(in crate::host) Vec<Attribute>);

impl Drop for SecretParts {
    fn drop(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::Value(part)
            | Attribute::PrivateExponent(part)
            | Attribute::Prime1(part)
            | Attribute::Prime2(part)
            | Attribute::Exponent1(part)
            | Attribute::Exponent2(part)
            | Attribute::Coefficient(part) = attribute
            {
                part.zeroize();
            }
        }
    }
}

/// Why a key was rejected does not matter: it may be anything.
struct Rejected;

impl From<KeyRejected> for Rejected {
    fn from(_: KeyRejected) -> Self {
        Self
    }
}

impl From<Unspecified> for Rejected {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl From<der::Error> for Rejected {
    fn from(_: der::Error) -> Self {
        Self
    }
}

fn rsa(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> Result<PrivateKey, Rejected> {
    let key = rsa::KeyPair::from_pkcs8(pkcs8)?;
    let pkcs8: Pkcs8V1Der<'static> = key.as_der()?;
    let info = PrivateKeyInfo::from_der(pkcs8.as_ref())?;
    let parts = RsaPrivateKey::from_der(info.private_key.as_bytes())?;
    let bytes = |part: UintRef<'_>| part.as_bytes().to_vec();
    if key.public_modulus_len() * 8 != usize::try_from(algorithm.bits()).map_err(|_| Rejected)?
        || parts.public_exponent.as_bytes() != RSA_EXPONENT
    {
        return Err(Rejected);
    }
    let public =
        vec![Attribute::Modulus(bytes(parts.modulus)), Attribute::PublicExponent(bytes(parts.public_exponent))];
    let secret = [
        Attribute::PrivateExponent(bytes(parts.private_exponent)),
        Attribute::Prime1(bytes(parts.prime1)),
        Attribute::Prime2(bytes(parts.prime2)),
        Attribute::Exponent1(bytes(parts.exponent1)),
        Attribute::Exponent2(bytes(parts.exponent2)),
        Attribute::Coefficient(bytes(parts.coefficient)),
    ];
    let private = SecretParts(public.iter().cloned().chain(secret).collect());
    let spki = key.public_key().as_der()?.as_ref().to_vec();
    Ok(PrivateKey { pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()), spki, public, private })
}

fn ec(algorithm: KeyAlgorithm, curve: &EcCurve, pkcs8: &[u8]) -> Result<PrivateKey, Rejected> {
    let key = EcdsaKeyPair::from_pkcs8(curve.signing, pkcs8)?;
    let params = Attribute::EcParams(ec_params(algorithm).ok_or(Rejected)?);
    let scalar = key.private_key().as_be_bytes()?.as_ref().to_vec();
    Ok(PrivateKey {
        pkcs8: Zeroizing::new(key.to_pkcs8v1()?.as_ref().to_vec()),
        spki: key.public_key().as_der()?.as_ref().to_vec(),
        public: vec![params.clone(), point(key.public_key().as_ref())?],
        private: SecretParts(vec![params, Attribute::Value(scalar)]),
    })
}

fn ed25519(algorithm: KeyAlgorithm, pkcs8: &[u8]) -> Result<PrivateKey, Rejected> {
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)?;
    let params = Attribute::EcParams(ec_params(algorithm).ok_or(Rejected)?);
    let seed = key.seed()?.as_be_bytes()?.as_ref().to_vec();
    Ok(PrivateKey {
        pkcs8: Zeroizing::new(key.to_pkcs8v1()?.as_ref().to_vec()),
        spki: key.public_key().as_der()?.as_ref().to_vec(),
        public: vec![params.clone(), point(key.public_key().as_ref())?],
        private: SecretParts(vec![params, Attribute::Value(seed)]),
    })
}

/// `CKA_EC_POINT`: the point in a DER OCTET STRING (PKCS#11 section 6.3.3).
fn point(bytes: &[u8]) -> Result<Attribute, Rejected> {
    Ok(Attribute::EcPoint(OctetStringRef::new(bytes)?.to_der()?))
}

/// RFC 5958 section 2, without what the first version does not have.
#[derive(Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifierRef<'a>,
    private_key: &'a OctetStringRef,
}
