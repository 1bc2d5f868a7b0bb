//! What the audit trail says: types only.
//!
//! Owns the events and their stable names. Does not own where they are kept: store
//! methods take the events of a change and write them in its transaction, so that a
//! change without its event, or an event without its change, cannot be.

use crate::clock::Timestamp;
use crate::key::{KeyId, RingId};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A key pair was asked for; its row is reserved.
    Requested,
    /// A key pair was generated, certified and committed.
    Created,
    /// A key pair was brought in from outside and committed.
    Imported,
    /// A key that was in the token before was committed as a key pair.
    Linked,
    /// A key pair was generated ahead of need.
    Stocked,
    /// A private key was given out.
    Exported,
    /// The certificates of a key pair were replaced.
    CertificatesReplaced,
    /// A reservation lost and is being undone.
    Abandoned,
    /// A key pair became the one of its ring that signs.
    Activated,
    /// A key pair ceased to sign.
    Deactivated,
    /// A key pair was suspended.
    Suspended,
    /// A suspended key pair returned to the state that it came from.
    Reinstated,
    /// A key pair became known as compromised.
    Compromised,
    /// A key pair was deleted, and is destroyed when its window ends.
    DestructionScheduled,
    /// The destruction of a key pair was cancelled.
    Restored,
    /// A sweep was held back: the clock stands where it should not.
    RotationHeld,
    /// An operator let sweeps go on.
    RotationResumed,
    /// Deletion was committed.
    DeleteCommitted,
    /// The private half is gone from its provider.
    Destroyed,
    /// The token no longer has a key that the store knows.
    Missing,
    /// A key that was missing is back.
    Found,
    /// The token has an object of ours that the store does not know.
    Orphaned,
    /// A half-made object without identity lies in the token.
    Broken,
    /// Reconcile removed an object from the token.
    Removed,
    /// A sealed key does not open: it was altered, swapped or replayed.
    SealBroken,
    /// A sealed key was sealed anew under the latest master key.
    Resealed,
    /// A master key was made.
    MasterAdded,
    /// Former master keys were retired: what is sealed under them is refused.
    MasterRetired,
    /// A document of settings was kept.
    SettingsChanged,
    /// A document of settings was removed.
    SettingsRemoved,
}

impl Action {
    /// Every action.
    pub const ALL: &[Self] = &[
        Self::Requested,
        Self::Created,
        Self::Imported,
        Self::Linked,
        Self::Stocked,
        Self::Exported,
        Self::Abandoned,
        Self::Activated,
        Self::Deactivated,
        Self::Suspended,
        Self::Reinstated,
        Self::Compromised,
        Self::DestructionScheduled,
        Self::Restored,
        Self::RotationHeld,
        Self::RotationResumed,
        Self::DeleteCommitted,
        Self::Destroyed,
        Self::Missing,
        Self::Found,
        Self::Orphaned,
        Self::Broken,
        Self::Removed,
        Self::CertificatesReplaced,
        Self::SealBroken,
        Self::Resealed,
        Self::MasterAdded,
        Self::MasterRetired,
        Self::SettingsChanged,
        Self::SettingsRemoved,
    ];

    /// The stable name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "key.requested",
            Self::Created => "key.created",
            Self::Imported => "key.imported",
            Self::Linked => "key.linked",
            Self::Stocked => "key.stocked",
            Self::Exported => "key.exported",
            Self::Abandoned => "key.abandoned",
            Self::Activated => "key.activated",
            Self::Deactivated => "key.deactivated",
            Self::Suspended => "key.suspended",
            Self::Reinstated => "key.reinstated",
            Self::Compromised => "key.compromised",
            Self::DestructionScheduled => "key.destruction-scheduled",
            Self::Restored => "key.restored",
            Self::RotationHeld => "rotation.held",
            Self::RotationResumed => "rotation.resumed",
            Self::DeleteCommitted => "key.delete-committed",
            Self::Destroyed => "key.destroyed",
            Self::Missing => "key.missing",
            Self::Found => "key.found",
            Self::Orphaned => "token.orphan",
            Self::Broken => "token.broken-object",
            Self::Removed => "token.object-removed",
            Self::CertificatesReplaced => "key.certificates-replaced",
            Self::SealBroken => "key.seal-broken",
            Self::Resealed => "key.resealed",
            Self::MasterAdded => "master-key.added",
            Self::MasterRetired => "master-key.retired",
            Self::SettingsChanged => "settings.changed",
            Self::SettingsRemoved => "settings.removed",
        }
    }

    /// The action of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

/// One entry of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    /// Name of the credential, or `strongroom` for what the daemon does by itself.
    pub principal: String,
    pub action: Action,
    pub key: Option<KeyId>,
    pub ring: Option<RingId>,
    /// Why, or what exactly, in words; never a secret.
    pub detail: String,
    pub request_id: Option<String>,
}

impl Event {
    /// The entry that the sealed private half of a key did not open.
    #[must_use]
    pub fn seal_broken(at: Timestamp, principal: &str, key: KeyId, ring: Option<RingId>, detail: String) -> Self {
        let (principal, action) = (principal.to_owned(), Action::SealBroken);
        Self { at, principal, action, key: Some(key), ring, detail, request_id: None }
    }
}
