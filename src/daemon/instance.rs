//! One life of one instance: a lock that proves that no other is alive.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};

use crate::config::StoreConfig;
use crate::store::LeaseOwner;
use strongroom_domain::clock::random;

/// Held as long as this process is the instance whose state lies in a directory.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

/// Held as long as this process is the instance of its name in a store.
#[derive(Debug)]
pub(super) struct NameLock {
    _file: File,
}

impl InstanceLock {
    /// Makes the state directory where it is absent and takes its lock.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be made.
    pub fn acquire(state_dir: &Path) -> anyhow::Result<Self> {
        Self::try_acquire(state_dir)?
            .with_context(|| format!("another strongroom is running on {}; stop it first", state_dir.display()))
    }

    /// Makes the state directory where it is absent and takes its lock; `None` when
    /// another process holds it.
    ///
    /// # Errors
    /// When the directory or the lock file cannot be made.
    pub fn try_acquire(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        make_state_dir(state_dir)?;
        Ok(locked(&state_dir.join("instance.lock"))?.map(|file| Self { _file: file }))
    }
}

impl NameLock {
    /// Takes the name of an instance in a SQLite store, by a file beside it: two daemons of one name would take
    /// each other's reservations for those of their former lives. In PostgreSQL nothing holds the name yet.
    ///
    /// # Errors
    /// When another daemon has the name, or the file cannot be made.
    pub(super) fn acquire(store: &StoreConfig, instance: &str) -> anyhow::Result<Option<Self>> {
        let StoreConfig::Sqlite(store) = store else { return Ok(None) };
        let mut name = store.as_os_str().to_owned();
        name.push(format!(".{instance}.lock"));
        let file = locked(Path::new(&name))?;
        let file = file.with_context(|| {
            format!(
                "another daemon on the store {} is the instance {instance:?}; each needs a name of its own (`instance`)",
                store.display()
            )
        })?;
        Ok(Some(Self { _file: file }))
    }
}

/// A file that is locked; `None` when another process holds it.
fn locked(path: &Path) -> anyhow::Result<Option<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(failure) => Err(failure).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Makes the directory of an instance's state, private to this user, where it is absent.
///
/// # Errors
/// When it cannot be made.
pub fn make_state_dir(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the state directory {}", path.display()))
}

/// An owner of reservations in a new life of `instance`.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn new_life(instance: &str) -> anyhow::Result<LeaseOwner> {
    let life = uuid::Builder::from_random_bytes(random()?).into_uuid();
    Ok(LeaseOwner { instance: instance.to_owned(), life: life.to_string() })
}
