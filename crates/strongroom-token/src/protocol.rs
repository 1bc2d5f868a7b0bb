//! What client and token host say to each other: numbered calls and their replies.
//!
//! Numbers rise in the order of the calls. The first call is [`Call::Open`] or
//! [`Call::InitToken`]. A call is answered by `Started` when a worker takes it up, then by
//! `Done` or `Failed`. A worker that was idle leaves `Started` out for a signature: as many
//! of the oldest signatures as a host has sessions are in the hands of its workers.

mod failure;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::key::{Capabilities, SignInput};
use crate::options::{PinSource, Profile, SignatureVerification};
use crate::selector::TokenSelector;
use crate::wire_secret::WireSecret;
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm, KeyUse, SignatureAlgorithm};

pub(crate) use failure::{CallFailure, FailureClass};

/// How often a host says that it is alive.
pub(crate) const BEAT: Duration = Duration::from_millis(500);

/// What a client asks of a host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    /// Loads the module, finds the token, logs in.
    Open(OpenCall),
    /// Loads the module and finds the token, in place of `Open`; no PIN, no session.
    Look(LookCall),
    /// Initialises a token that is not yet, in place of `Open`.
    InitToken(InitialiseCall),
    Generate(GenerateCall),
    /// Brings a private key in (PKCS#8).
    Import {
        key: GenerateCall,
        pkcs8: WireSecret,
    },
    /// Looks for the one private key with this `CKA_ID` and this label, as far as given.
    Find {
        #[serde(with = "serde_bytes")]
        id: Option<Vec<u8>>,
        label: Option<String>,
    },
    /// Reads a key back that was made here, and compares its public half; with `trial` by a signature.
    Prove {
        key: GenerateCall,
        #[serde(with = "serde_bytes")]
        spki: Vec<u8>,
        trial: bool,
    },
    Sign(SignCall),
    Decrypt(DecryptCall),
    /// Signs several inputs in the way of the first.
    SignBatch {
        first: SignCall,
        rest: Vec<SignInput>,
    },
    /// Seals under the sealing key of this label, which is made where there is none.
    Seal {
        label: String,
        #[serde(with = "serde_bytes")]
        context: Vec<u8>,
        secret: WireSecret,
    },
    Unseal {
        label: String,
        #[serde(with = "serde_bytes")]
        context: Vec<u8>,
        #[serde(with = "serde_bytes")]
        sealed: Vec<u8>,
    },
    /// Whether there is a sealing key of this label.
    FindSealingKey {
        label: String,
    },
    /// Destroys what carries both this `CKA_ID` and this label.
    Destroy {
        #[serde(with = "serde_bytes")]
        id: Vec<u8>,
        label: String,
    },
    Inventory,
    RemoveBroken,
}

impl Call {
    /// How many signatures it asks for; `None` for any other call.
    pub(crate) const fn signatures(&self) -> Option<usize> {
        match self {
            Self::Sign(_) => Some(1),
            Self::SignBatch { rest, .. } => Some(1 + rest.len()),
            _ => None,
        }
    }
}

/// Everything a host needs to know before it serves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenCall {
    pub(crate) module: PathBuf,
    pub(crate) selector: TokenSelector,
    pub(crate) pin: PinSource,
    pub(crate) profile: Profile,
    /// Where a refused PIN is remembered.
    pub(crate) refused_pin: PathBuf,
    /// Tries even a remembered PIN, if the token shows no low count.
    pub(crate) try_refused: bool,
    /// Locked (`flock`) around `C_Initialize` and `C_Login`.
    pub(crate) lock: LockName,
    /// The directory where the host registers as long as it lives; absent for one question.
    pub(crate) registrations: Option<PathBuf>,
    pub(crate) sessions: usize,
    /// Whether keys are made and destroyed here: read-write sessions.
    pub(crate) keeps: bool,
    /// Whether signatures have the right of way over this host.
    pub(crate) low_priority: bool,
    pub(crate) verify: SignatureVerification,
}

/// A file to be locked, and what its holder belongs to, for people.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LockName {
    pub(crate) path: PathBuf,
    pub(crate) of: String,
}

/// What a look at a token needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LookCall {
    pub(crate) module: PathBuf,
    pub(crate) selector: TokenSelector,
}

/// A token to be initialised.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InitialiseCall {
    pub(crate) module: PathBuf,
    pub(crate) label: String,
    pub(crate) so_pin: PinSource,
    pub(crate) pin: PinSource,
    pub(crate) lock: LockName,
}

/// A key pair to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GenerateCall {
    #[serde(with = "serde_bytes")]
    pub(crate) id: Vec<u8>,
    pub(crate) label: String,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) key_use: KeyUse,
}

/// A signature to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SignCall {
    #[serde(with = "serde_bytes")]
    pub(crate) id: Vec<u8>,
    pub(crate) key: KeyAlgorithm,
    #[serde(with = "serde_bytes")]
    pub(crate) spki: Vec<u8>,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) input: SignInput,
}

/// A ciphertext to be decrypted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DecryptCall {
    #[serde(with = "serde_bytes")]
    pub(crate) id: Vec<u8>,
    pub(crate) key: KeyAlgorithm,
    #[serde(with = "serde_bytes")]
    pub(crate) spki: Vec<u8>,
    pub(crate) algorithm: DecryptionAlgorithm,
    #[serde(with = "serde_bytes")]
    pub(crate) ciphertext: Vec<u8>,
}

/// Reply to a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The token is open and logged in, with this many sessions to work in; answers `Open`.
    Ready(Box<TokenFacts>, usize),
    /// A worker has taken the call up, or goes on with its next part: the hang clock starts.
    Started,
    Done(CallOutcome, TokenTime),
    Failed(CallFailure),
    /// The heartbeat, unasked and without a number: the process runs, whatever its workers do.
    Alive,
}

/// How long a call was in its worker's hands; the rest of its time it queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenTime(u32);

impl TokenTime {
    /// In microseconds; what takes longer than an hour is an hour.
    pub(crate) fn of(time: Duration) -> Self {
        Self(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
    }
}

impl From<TokenTime> for Duration {
    fn from(TokenTime(micros): TokenTime) -> Self {
        Self::from_micros(micros.into())
    }
}

/// Result of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CallOutcome {
    /// The token with the label asked for, and whether it was initialised just now.
    Initialised {
        serial: String,
        now: bool,
    },
    Generated {
        #[serde(with = "serde_bytes")]
        spki: Vec<u8>,
        attestation: String,
    },
    Found(SelectedKey),
    Proven(String),
    Signed(#[serde(with = "serde_bytes")] Vec<u8>),
    Decrypted(WireSecret),
    /// In the order of the inputs; one that fails, fails alone.
    SignedBatch(Vec<Result<Vec<u8>, CallFailure>>),
    Sealed(#[serde(with = "serde_bytes")] Vec<u8>),
    Unsealed(WireSecret),
    SealingKey(bool),
    Removed(u32),
    Held(Vec<InventoryObject>),
    /// The token is there; answers `Look`.
    Present,
}

/// A private key that was there already.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SelectedKey {
    #[serde(with = "serde_bytes")]
    pub(crate) id: Vec<u8>,
    pub(crate) algorithm: KeyAlgorithm,
    #[serde(with = "serde_bytes")]
    pub(crate) spki: Vec<u8>,
    pub(crate) attestation: String,
}

/// One pair of objects, or what there is of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InventoryObject {
    #[serde(with = "serde_bytes")]
    pub(crate) id: Vec<u8>,
    pub(crate) label: String,
    pub(crate) has_private: bool,
    pub(crate) has_public: bool,
    pub(crate) incomplete: bool,
}

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    pub slot: u64,
    pub label: String,
    pub serial: String,
    pub manufacturer: String,
    pub model: String,
    pub firmware: String,
    /// `CKM_` names, as far as they are known.
    pub mechanisms: Vec<String>,
    /// The most sessions that the token allows; `None` when it names no limit.
    pub max_sessions: Option<u64>,
    /// What can be generated, and how such a key can sign.
    pub algorithms: Vec<(KeyAlgorithm, Vec<SignatureAlgorithm>)>,
    /// How an RSA key can decrypt; empty while the token is not logged in.
    pub decryptions: Vec<DecryptionAlgorithm>,
    /// How it would seal; `None` when it cannot.
    pub sealing: Option<SealingScheme>,
    pub pin_count_low: bool,
    pub pin_final_try: bool,
    pub pin_locked: bool,
}

impl TokenFacts {
    /// What the token can do now.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { algorithms: self.algorithms.clone(), decryptions: self.decryptions.clone() }
    }
}

/// How a token seals what is kept outside of it, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SealingScheme {
    /// AES-256 in GCM (NIST SP 800-38D).
    AesGcm,
    /// AES-256 key wrap (RFC 3394) of the secret and the digest of its context.
    AesKeyWrap,
    /// RSA-OAEP (RFC 8017 section 7.1), signed by a second key of the token.
    SignedOaep,
}

impl fmt::Display for SealingScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AesGcm => "AES-256-GCM",
            Self::AesKeyWrap => "AES-256 key wrap",
            Self::SignedOaep => "RSA-OAEP with a signature",
        })
    }
}
