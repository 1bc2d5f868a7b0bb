//! Policies: what is meant to happen to the keys of a ring, and when.

use std::time::Duration;

/// What the configuration says for every ring of a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// How long a key is published before it signs by schedule; at least twice `max_age`.
    pub lead: Duration,
    /// How long verifiers may keep a key set.
    pub max_age: Duration,
    /// How long the key pairs of a `signing:` ring are published after they ceased to sign.
    pub overlap: Duration,
    /// How long the keys of a connection are published after they ceased to sign.
    pub connection_overlap: Duration,
    /// How often the keys of connections are succeeded by themselves.
    pub connection_period: Option<Duration>,
    /// How often the web key is succeeded by itself.
    pub web_key_period: Option<Duration>,
    /// How long a web key is published after it ceased to sign, where it is succeeded by itself.
    pub web_key_overlap: Duration,
}

impl Default for Defaults {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
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
    /// When the Active key is succeeded by itself; `None`: on demand only.
    pub schedule: Option<Schedule>,
    /// There is always a successor waiting.
    pub always_next: bool,
    /// How long a successor is published before it signs by schedule.
    pub lead: Duration,
    /// How long a Deactivated key stays published; `None`: until it is deleted.
    pub overlap: Option<Duration>,
    /// What happens to a Deactivated key when its overlap has ended.
    pub afterwards: Afterwards,
}

/// When an Active key is succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Before its certificate expires: the successor is made and activated so long before.
    BeforeExpiry { creation: Duration, activation: Duration },
    /// So long after it became Active; the successor is made one lead earlier.
    Every(Duration),
}

/// What happens to a Deactivated key when its overlap has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It is destroyed.
    Destroy,
    /// It is destroyed, unless it is the latest of the ring.
    DestroyButLatest,
    /// It stays until it is deleted.
    Keep,
}
