//! The states of a key pair (NIST SP 800-57 part 1 section 7, KMIP 2.1 section 11.58)
//! and the moves between them.

use std::fmt;

/// Where a key pair stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyState {
    /// The row exists, the key may not yet; owned by a daemon instance under a lease.
    Reserved,
    /// A reservation being undone; its commit has lost.
    Abandoning,
    /// Generated ahead of need, in no ring.
    Stocked,
    /// Published, does not sign yet.
    PreActive,
    /// Signs.
    Active,
    /// Verifies, does not sign.
    Deactivated,
    /// Signs and decrypts nothing, and can return to the state that it came from.
    Suspended,
    /// Out of every key set; never signs again.
    Compromised,
    /// In no key set and shown by no product's API; destroyed when its window ends, unless that is cancelled.
    PendingDestruction,
    /// Destruction is committed; reconcile finishes it.
    Destroying,
    /// A tombstone.
    Destroyed,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Reserved,
        Self::Abandoning,
        Self::Stocked,
        Self::PreActive,
        Self::Active,
        Self::Deactivated,
        Self::Suspended,
        Self::Compromised,
        Self::PendingDestruction,
        Self::Destroying,
        Self::Destroyed,
    ];

    /// The stable name that is stored, logged and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "Reserved",
            Self::Abandoning => "Abandoning",
            Self::Stocked => "Stocked",
            Self::PreActive => "PreActive",
            Self::Active => "Active",
            Self::Deactivated => "Deactivated",
            Self::Suspended => "Suspended",
            Self::Compromised => "Compromised",
            Self::PendingDestruction => "PendingDestruction",
            Self::Destroying => "Destroying",
            Self::Destroyed => "Destroyed",
        }
    }

    /// The state of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether users of a ring can see the key.
    #[must_use]
    pub const fn is_visible(self) -> bool {
        matches!(self, Self::PreActive | Self::Active | Self::Deactivated | Self::Suspended)
    }

    /// Whether the native API finds the key by its kid or id.
    #[must_use]
    pub const fn is_named(self) -> bool {
        self.is_visible() || matches!(self, Self::Compromised | Self::PendingDestruction)
    }

    /// Whether the provider has the private half and is meant to keep it.
    #[must_use]
    pub const fn is_held(self) -> bool {
        self.is_named() || matches!(self, Self::Stocked)
    }

    /// Whether the key holds its name in its ring: a second creation would collide.
    #[must_use]
    pub const fn reserves_ring_id(self) -> bool {
        self.is_visible() || matches!(self, Self::Reserved)
    }

    /// Whether a key may move from here to `next`; stock is claimed by being reserved.
    ///
    /// `reactivate` is the way back from `Deactivated`, which only web keys have. A `Suspended` key is reinstated to
    /// the state that it came from and to no other, and a key whose destruction is cancelled becomes `Suspended`, or
    /// `Compromised` again: the store keeps which.
    #[must_use]
    pub const fn may_become(self, next: Self, reactivate: bool) -> bool {
        match (self, next) {
            (Self::Reserved, Self::Abandoning | Self::Stocked | Self::PreActive | Self::Active)
            | (Self::Abandoning | Self::Destroying, Self::Destroyed)
            | (Self::Stocked, Self::Reserved | Self::Destroying)
            | (Self::PreActive, Self::Active)
            | (Self::Active, Self::Deactivated)
            | (Self::Suspended, Self::PreActive | Self::Active | Self::Deactivated)
            | (Self::PreActive | Self::Active | Self::Deactivated, Self::Suspended)
            | (Self::PreActive | Self::Active | Self::Deactivated | Self::Suspended, Self::Compromised)
            | (
                Self::PreActive | Self::Active | Self::Deactivated | Self::Suspended | Self::Compromised,
                Self::PendingDestruction | Self::Destroying,
            )
            | (Self::PendingDestruction, Self::Suspended | Self::Compromised | Self::Destroying) => true,
            (Self::Deactivated, Self::Active) => reactivate,
            _ => false,
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
