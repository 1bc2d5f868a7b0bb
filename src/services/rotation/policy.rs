//! Policies: when the keys of a ring are created, activated and destroyed.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Caller, Task};
use crate::services::settings::{Catalog, RotationSettings};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{RingId, RingKind};

const DAY: Duration = Duration::from_secs(86_400);
/// Slack beside a lead before a certificate expires: sweeps run late, and some fail at first.
pub(super) const SWEEP_SLACK: Duration = Duration::from_secs(3600);

/// Defaults of the configuration, by kind of ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// How long a key is published before it signs by schedule; at least twice `max_age`.
    pub lead: Duration,
    /// How long verifiers may keep a key set.
    pub max_age: Duration,
    /// How long the key pairs of a `signing:` ring are published after they ceased to sign.
    pub overlap: Duration,
    /// How long the keys of a connection are published after they ceased to sign.
    pub connection_overlap: Duration,
    /// Rotation period of connection keys; `None`: on demand only.
    pub connection_period: Option<Duration>,
    /// Rotation period of the web key; `None`: on demand only.
    pub web_key_period: Option<Duration>,
    /// How long a web key is published after it ceased to sign, where it is succeeded by itself.
    pub web_key_overlap: Duration,
}

impl Default for PolicyDefaults {
    fn default() -> Self {
        Self {
            lead: DAY,
            max_age: Duration::from_secs(300),
            overlap: DAY,
            connection_overlap: DAY,
            connection_period: None,
            web_key_period: None,
            web_key_overlap: DAY,
        }
    }
}

/// What is meant to happen to the keys of one ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Schedule of the Active key's succession; `None`: on demand only.
    pub schedule: Option<Schedule>,
    /// Whether the ring always has a `PreActive` successor.
    pub always_next: bool,
    /// How long a successor is published before it signs by schedule.
    pub lead: Duration,
    /// How long a Deactivated key stays published; `None`: until it is deleted.
    pub overlap: Option<Duration>,
    /// Fate of a Deactivated key at the end of its overlap.
    pub on_overlap_end: OnOverlapEnd,
}

impl Policy {
    /// Whether `PreActive` keys of this ring come from the sweep alone, so that it may destroy surplus
    /// ones. False where an administrator can create them (web keys).
    pub(super) const fn manages_pending(&self) -> bool {
        match self.schedule {
            _ if self.always_next => true,
            Some(Schedule::BeforeExpiry { .. }) => true,
            Some(Schedule::Every(_)) => false,
            None => matches!(self.on_overlap_end, OnOverlapEnd::Destroy),
        }
    }
}

/// When an Active key is succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Before its certificate expires: the successor is made and activated so long before.
    BeforeExpiry { creation: Duration, activation: Duration },
    /// So long after it became Active; the successor is made one lead earlier.
    Every(Duration),
}

/// Fate of a Deactivated key at the end of its overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOverlapEnd {
    /// It is destroyed.
    Destroy,
    /// It is destroyed, unless it is the latest of the ring.
    DestroyButLatest,
    /// It stays until it is deleted.
    Keep,
}

/// The policies of rings: by the documents about them, else by the configuration.
#[derive(Clone)]
pub struct Policies {
    catalog: Arc<Catalog>,
    defaults: PolicyDefaults,
}

impl Policies {
    /// The policies of a catalog's documents, over these defaults.
    #[must_use]
    pub const fn new(catalog: Arc<Catalog>, defaults: PolicyDefaults) -> Self {
        Self { catalog, defaults }
    }

    /// How long verifiers may keep a key set.
    #[must_use]
    pub const fn max_age(&self) -> Duration {
        self.defaults.max_age
    }

    /// What is meant to happen to the keys of a ring: by the documents about it, else by the configuration.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(&self, ring: &RingId) -> Result<Policy, Error> {
        let on_demand = |overlap| Policy {
            schedule: None,
            always_next: false,
            lead: self.defaults.lead,
            overlap,
            on_overlap_end: OnOverlapEnd::Destroy,
        };
        let defaults = &self.defaults;
        Ok(match ring.kind() {
            RingKind::SslServer | RingKind::SslClient => on_demand(Some(defaults.overlap)),
            RingKind::Signing => {
                let schedule = self.settings(ring).await?.map(|settings| before_expiry(&settings, defaults.lead));
                Policy { schedule, ..on_demand(Some(defaults.overlap)) }
            }
            RingKind::Connection => Policy {
                schedule: self.period(ring).await?.or(defaults.connection_period).map(Schedule::Every),
                always_next: true,
                on_overlap_end: OnOverlapEnd::DestroyButLatest,
                ..on_demand(Some(defaults.connection_overlap))
            },
            RingKind::WebKeys => match self.period(ring).await?.or(defaults.web_key_period) {
                Some(period) => {
                    let schedule = Some(Schedule::Every(period));
                    Policy { schedule, ..on_demand(Some(defaults.web_key_overlap)) }
                }
                None => Policy { on_overlap_end: OnOverlapEnd::Keep, ..on_demand(None) },
            },
        })
    }

    /// The rotation settings of a ring, if it has some.
    pub(super) async fn settings(&self, ring: &RingId) -> Result<Option<RotationSettings>, Error> {
        not_found_as_none(self.catalog.rotation_settings(&Caller::daemon(Task::Sweep), ring).await)
    }

    async fn period(&self, ring: &RingId) -> Result<Option<Duration>, Error> {
        not_found_as_none(self.catalog.rotation_period(&Caller::daemon(Task::Sweep), ring).await)
    }
}

fn not_found_as_none<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The schedule of rotation settings, given the lead of a successor.
pub(super) fn before_expiry(settings: &RotationSettings, lead: Duration) -> Schedule {
    let valid = DAY.saturating_mul(settings.valid_days);
    // A successor must not be due for succession when it is created.
    let most = valid.saturating_sub(DAY);
    let creation = DAY.saturating_mul(settings.creation_buffer_days).max(lead + SWEEP_SLACK).min(most);
    // One that is made when its predecessor becomes Active has to wait for its lead too.
    let least = (creation + lead + SWEEP_SLACK).saturating_sub(valid);
    let activation = DAY.saturating_mul(settings.activation_buffer_days).max(least).min(creation);
    Schedule::BeforeExpiry { creation, activation }
}
