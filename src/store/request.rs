//! Requests to the store and their results.

use std::time::Duration;

use super::{DocumentKind, StoredDocument};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, KeyUse, Kid, Locator, ProviderKind, RingId,
    SealedKey, SignatureAlgorithm, SpkiDer,
};

/// The daemon that owns a reservation: an instance, and one life of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOwner {
    /// Stays the same over restarts.
    pub instance: String,
    /// New at each start.
    pub life: String,
}

/// Placement of a new key pair in its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The first key of a new ring: no other key may hold the ring's name.
    NewRing,
    /// A successor: no other successor may be reserved.
    Successor,
    /// An additional key, whatever the ring holds.
    Additional,
}

/// A key pair that is about to be made.
#[derive(Clone, Debug)]
pub struct NewReservation {
    pub id: KeyId,
    pub ring: Option<RingId>,
    pub placement: Placement,
    pub provider: ProviderKind,
    pub locator: Locator,
    pub origin: KeyOrigin,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
    pub permitted: Vec<SignatureAlgorithm>,
    pub owner: LeaseOwner,
    pub now: Timestamp,
    /// How long other daemons must leave the reservation alone.
    pub lease: Duration,
    pub idempotency: Option<IdempotencyClaim>,
    /// The version of the `Stocked` row of this id that is claimed; a new row where it is absent.
    pub stock: Option<i64>,
}

/// A client's `Idempotency-Key` with the request that it belongs to.
#[derive(Clone, Debug)]
pub struct IdempotencyClaim {
    pub principal: String,
    pub route: String,
    pub key: String,
    /// By [`Store::fingerprint`]; the body itself is not kept.
    pub fingerprint: [u8; 32],
    pub expires: Timestamp,
}

/// Outcome of a reservation.
#[derive(Clone, Debug)]
pub enum ReserveOutcome {
    /// A row in state `Reserved`: a new one, or one that was stock.
    Reserved(Box<KeyPair>),
    /// The same request succeeded before with this key.
    Replay(KeyId),
    /// The same request succeeded before, with a key that was deleted since.
    Deleted,
    /// The same request is running.
    InProgress,
    /// The same idempotency key came with another body.
    BodyMismatch,
    /// The ring has a key already.
    RingExists,
    /// Another successor is reserved for the ring.
    SuccessorPending,
}

/// Commit of a reservation.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: KeyId,
    /// The version that the reservation had.
    pub version: i64,
    /// `Stocked`, `PreActive` or `Active`.
    pub state: KeyState,
    /// `Active` instead, where the ring has no Active key by then.
    pub active_if_none: bool,
    pub kid: Kid,
    pub spki: SpkiDer,
    /// The private half of a `Local` key.
    pub sealed: Option<SealedKey>,
    pub certificates: Vec<CertificateDer>,
    pub now: Timestamp,
}

/// State transition of one key pair.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    pub id: KeyId,
    /// The version that the caller saw.
    pub version: i64,
    pub to: KeyState,
    /// Web keys only: back from `Deactivated` to `Active`.
    pub reactivate: bool,
    /// To `Suspended` only: whether the key leaves the key sets meanwhile.
    pub unpublished: bool,
    /// To `PendingDestruction` only, and there always: when the key is to be destroyed.
    pub destroy_at: Option<Timestamp>,
    pub now: Timestamp,
}

/// Outcome of the activation of a member of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Activation {
    /// It is Active, now or since before.
    Done(Box<KeyPair>),
    /// It is in no state to become Active, or missing from its provider; nothing was changed.
    Unfit(Box<KeyPair>),
    /// The ring has no visible key of this kid.
    NotFound,
}

/// Outcome of the deletion of a member of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberDeletion {
    /// Its deletion is committed, now or since before.
    Done(Box<KeyPair>),
    /// It is the Active one; nothing was changed.
    Active,
    /// The ring never had a key of this kid.
    NotFound,
}

/// A PIN that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPin {
    /// The serial number of the token.
    pub token: String,
    /// A salted slow hash of the PIN, in the PHC string format.
    pub hash: String,
    /// Whether the token took it when it was last tried.
    pub worked: bool,
}

/// A PIN that is about to be tried.
#[derive(Clone, Debug)]
pub struct PinTrial {
    pub token: String,
    /// The hash of its row, or a new one where no row is of this PIN.
    pub hash: String,
    /// The hashes of the token's rows that the PIN was compared with.
    pub compared: Vec<String>,
    /// Whether a PIN that was refused once after it had worked is tried once more.
    pub again: bool,
    pub owner: LeaseOwner,
    pub now: Timestamp,
    /// How long other daemons try no PIN that has not worked yet.
    pub lease: Duration,
}

/// Outcome of the wish to try a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinTrialOutcome {
    /// The attempt is on record.
    Granted,
    /// The token has refused it, or attempts of it were cut short.
    Refused,
    /// Another daemon is trying a PIN.
    Busy,
    /// There are rows that the PIN was not compared with.
    Unseen,
}

/// End of the trial of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinTrialEnd {
    Worked,
    Refused,
    /// The token neither took nor refused the PIN.
    NotTried,
}

/// Presence of a key on its token, as an inventory saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPresence {
    /// The token has the key.
    Found,
    /// The token does not show the key, and may be about to.
    Unseen { since: Timestamp },
    /// The token has lost the key.
    Missing { since: Timestamp },
}

/// Replacement of the certificates of one key pair.
#[derive(Clone, Debug)]
pub struct CertificateReplacement {
    pub id: KeyId,
    /// The version that the caller saw.
    pub version: i64,
    pub certificates: Vec<CertificateDer>,
    pub rotation_settings: RotationSettingsChange,
}

impl CertificateReplacement {
    /// Replaces the certificates of `pair`, as the caller saw it, and keeps the rotation settings.
    #[must_use]
    pub fn new(pair: &KeyPair, certificates: Vec<CertificateDer>) -> Self {
        Self { id: pair.id, version: pair.version, certificates, rotation_settings: RotationSettingsChange::Keep }
    }
}

/// Change to the rotation settings of a ring whose certificate is replaced.
#[derive(Clone, Debug)]
pub enum RotationSettingsChange {
    Keep,
    /// They are removed, where there are some, with this audit event.
    Remove(Event),
}

/// A document to be kept.
#[derive(Clone, Debug)]
pub struct DocumentPut {
    pub document: StoredDocument,
    /// The rings that it refers to.
    pub references: Vec<RingId>,
    /// Names that no other document of its kind may hold.
    pub claims: Vec<String>,
    pub expected: ExpectedDocument,
}

/// What there must be of a document's id, so that it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedDocument {
    /// A document or none.
    Any,
    /// No document.
    None,
    /// A document.
    Some,
    /// A document in this revision: nobody has changed it since it was read.
    Revision(i64),
}

/// A change of a document that is made together with others.
#[derive(Clone, Debug)]
pub enum DocumentWrite {
    Put(DocumentPut),
    /// It must be there.
    Remove {
        kind: DocumentKind,
        id: String,
    },
    /// It must be there, and stays.
    Require {
        kind: DocumentKind,
        id: String,
    },
}

/// Transitions and commits of one transaction: transitions first, each list in its order.
#[derive(Clone, Debug, Default)]
pub struct KeyPairChange {
    pub moves: Vec<Transition>,
    pub commits: Vec<Commit>,
    /// Documents that change with the key pairs.
    pub documents: Vec<DocumentWrite>,
    /// The number of the sweeper that makes the change; refused when another has begun since.
    pub fence: Option<i64>,
}

/// A ring that is due for a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRing {
    pub ring: RingId,
    /// Counts changes of the ring.
    pub version: i64,
}

/// Work ahead of the sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Rings that are due.
    pub due: i64,
    /// When the next ring will be due.
    pub next: Option<Timestamp>,
}

/// The lease of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepLease {
    /// Higher than that of every sweeper before.
    pub fence: i64,
    /// When a sweep last came to its end.
    pub swept_at: Option<Timestamp>,
}
