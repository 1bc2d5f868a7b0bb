//! What a host is opened with: which files it shares with others, and with which.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::process::getegid;

use crate::host;
use crate::options::{TokenAccess, TokenOptions};
use crate::protocol::{LockName, OpenCall};

/// The file in the state directory that remembers a refused PIN.
const REFUSED_PIN: &str = "refused-pin";
/// The directory in the state directory where hosts register.
const REGISTRATIONS: &str = "hosts";
/// The directory in the state directory for the locks of tokens, where no other can be had.
const OWN_LOCKS: &str = "locks";
/// Where directories for locks stand (Filesystem Hierarchy Standard, section 5.9).
const SHARED_LOCKS: &str = "/run/lock";

impl TokenOptions {
    /// The opening of a host with one session that keeps nothing.
    pub(crate) fn opening(&self) -> OpenCall {
        OpenCall {
            module: self.token.module.clone(),
            selector: self.token.selector.clone(),
            pin: self.token.pin.clone(),
            profile: self.token.profile,
            refused_pin: self.refused_pin(),
            try_refused: false,
            lock: LockName {
                path: log_in_lock(self.hosts.lock_dir.as_deref(), &self.state_dir.join(OWN_LOCKS), &self.token),
                of: self.state_dir.display().to_string(),
            },
            registrations: None,
            sessions: 1,
            keeps: false,
            low_priority: false,
            verify: self.hosts.verify_signatures,
        }
    }

    /// The file that remembers a refused PIN.
    pub(super) fn refused_pin(&self) -> PathBuf {
        self.state_dir.join(REFUSED_PIN)
    }

    /// Where hosts register as long as they live.
    pub(super) fn registrations(&self) -> PathBuf {
        self.state_dir.join(REGISTRATIONS)
    }
}

/// The file that is locked while a token is opened: one for each token, in a directory of this group.
///
/// Processes that log in together read SoftHSM's token file while it is rewritten and find no token
/// (11 of 40, 2026-11-20). Daemons that bind the same token in the same way share the lock; others are
/// none of its business.
pub(crate) fn log_in_lock(configured: Option<&Path>, own: &Path, token: &TokenAccess) -> PathBuf {
    let shared = || Path::new(SHARED_LOCKS).join(format!("strongroom-{}", getegid().as_raw()));
    let folder = configured.map_or_else(shared, Path::to_owned);
    let folder = group_folder(&folder).map(|()| folder);
    let folder = folder.unwrap_or_else(|error| {
        tracing::warn!(%error, "no directory for the log-in locks of this group; daemons of other state directories are not held back");
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(own) {
            tracing::warn!(%error, path = %own.display(), "no directory for log-in locks");
        }
        own.to_owned()
    });
    folder.join(format!("token-{}.lock", binding(token)))
}

/// Makes a directory for this group, or sees that the one that is there is only its.
fn group_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o770).create(path) {
        // The umask may have taken the group's share.
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o770))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let metadata = fs::symlink_metadata(path)?;
    let others_write = metadata.mode() & 0o002 != 0;
    if metadata.is_dir() && !others_write && metadata.gid() == getegid().as_raw() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{} is no directory of this group alone", path.display())))
    }
}

/// A digest of all that decides which token is opened.
fn binding(token: &TokenAccess) -> String {
    let module = fs::canonicalize(&token.module).unwrap_or_else(|_| token.module.clone());
    let text = format!("{}\n{}\n{:?}", module.display(), token.selector, token.environment);
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .take(16)
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Forgets that a PIN was refused, so that the next host tries it again.
///
/// # Errors
/// When the memory is there and cannot be removed.
pub fn forget_refused_pin(state_dir: &Path) -> io::Result<()> {
    host::forget_refused_pin(&state_dir.join(REFUSED_PIN))
}
