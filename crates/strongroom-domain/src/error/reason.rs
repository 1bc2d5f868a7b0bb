//! Reasons for the refusal of an input, apart from the sentences of any API.

use super::Rule;
use crate::key::{KeyAlgorithm, KeyUse, RingKind, SignatureAlgorithm};
use crate::oidc::OidcKeyType;

/// Reason of the domain for the refusal of a [`Field`](super::Field); each dialect has its own sentence for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something has this id already.
    IdInUse(String),
    /// Another key pair has this private key.
    KeyInUse,
    /// The provider does not accept the private key.
    KeyNotAccepted,
    /// The provider signs with keys of these algorithms only.
    KeyNotSupported(Vec<KeyAlgorithm>),
    /// No single private key that can sign matches, with the cause.
    KeyNotUsable(String),
    /// A key file cannot be read, with the cause.
    FileUnreadable(String),
    /// A key file exceeds a bound, with the cause.
    FileExcessive(String),
    /// The password does not open the key file.
    WrongPassword,
    /// A certificate cannot be read or used, with the cause.
    CertificateUnusable(String),
    /// The leaf certifies another key.
    CertificateMismatch,
    /// Keys of the ring serve TLS and nothing else.
    TlsOnly,
    /// The same name came with another request.
    OtherRequest,
    /// An input of a signature or a decryption is against the rules.
    Operation(OperationFault),
    /// A setting that refers to keys is against the rules.
    Setting(SettingFault),
}

/// Reason for the refusal of an [`OperationField`](super::OperationField).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationFault {
    /// The key signs with other algorithms, which have these names.
    NotPermitted(Vec<&'static str>),
    /// The key decrypts with other algorithms, which have these names.
    NotADecryption(Vec<&'static str>),
    /// JOSE has no name for the algorithm with such a key.
    NoJoseName(SignatureAlgorithm, KeyAlgorithm),
    /// The message has more than this number of bytes.
    MessageTooLong(usize),
    /// The payload has more than this number of bytes.
    PayloadTooLong(usize),
    /// The algorithm signs messages only.
    NoDigest(SignatureAlgorithm),
    /// A digest for the algorithm has this number of bytes.
    DigestLength(SignatureAlgorithm, usize),
    /// The protected headers are no JSON object.
    HeadersNotAnObject,
    /// The header is not for callers.
    HeaderReserved,
    /// The header is no text.
    HeaderNotText,
    /// The payload has the claim already.
    ClaimPresent,
    /// The payload is no JSON object and has no claims.
    NoClaims,
    /// The ciphertext does not decrypt, whatever the cause.
    NotDecrypted,
}

/// Reason for the refusal of a setting that refers to keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingFault {
    /// No ring of the kind has this name and an Active key.
    NoSuchRing(RingKind, String),
    /// The ring of this name has a key with another use than this one.
    WrongUse(String, KeyUse),
    /// The ring of this name has a key of another type than this one.
    WrongType(String, OidcKeyType),
    /// The previous ring is the active one.
    PreviousIsActive,
    /// The ring of this name is the default and not among the active ones.
    DefaultNotActive(String),
    /// The key of the ring of this name does not sign with this algorithm.
    NotPermitted(String, String),
    /// The algorithm is named twice.
    AlgorithmTwice(String),
    /// The key id is given twice.
    KidTwice(String),
    /// The issuer is named twice.
    IssuerTwice(String),
    /// The issuer is in the additional key set of this id.
    IssuerTaken { issuer: String, key_set: String },
}

impl Reason {
    /// The rule that the value breaks.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::IdInUse(_) | Self::KeyInUse => Rule::NotUnique,
            Self::KeyNotSupported(_) => Rule::NotSupportedByProvider,
            Self::FileExcessive(_) => Rule::TooLong,
            Self::KeyNotAccepted
            | Self::KeyNotUsable(_)
            | Self::FileUnreadable(_)
            | Self::WrongPassword
            | Self::CertificateUnusable(_)
            | Self::CertificateMismatch
            | Self::TlsOnly
            | Self::OtherRequest => Rule::InvalidValue,
            Self::Operation(fault) => fault.rule(),
            Self::Setting(fault) => fault.rule(),
        }
    }
}

impl OperationFault {
    const fn rule(&self) -> Rule {
        match self {
            Self::MessageTooLong(_) | Self::PayloadTooLong(_) => Rule::TooLong,
            Self::ClaimPresent => Rule::NotUnique,
            Self::NotPermitted(_)
            | Self::NotADecryption(_)
            | Self::NoJoseName(..)
            | Self::NoDigest(_)
            | Self::DigestLength(..)
            | Self::HeadersNotAnObject
            | Self::HeaderReserved
            | Self::HeaderNotText
            | Self::NoClaims
            | Self::NotDecrypted => Rule::InvalidValue,
        }
    }
}

impl SettingFault {
    const fn rule(&self) -> Rule {
        match self {
            Self::AlgorithmTwice(_) | Self::KidTwice(_) | Self::IssuerTwice(_) | Self::IssuerTaken { .. } => {
                Rule::NotUnique
            }
            Self::NoSuchRing(..)
            | Self::WrongUse(..)
            | Self::WrongType(..)
            | Self::PreviousIsActive
            | Self::DefaultNotActive(_)
            | Self::NotPermitted(..) => Rule::InvalidValue,
        }
    }
}

impl From<OperationFault> for Reason {
    fn from(fault: OperationFault) -> Self {
        Self::Operation(fault)
    }
}

impl From<SettingFault> for Reason {
    fn from(fault: SettingFault) -> Self {
        Self::Setting(fault)
    }
}
