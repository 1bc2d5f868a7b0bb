//! Files that a process holds locked (`flock`), and processes that are found by them.
//!
//! Two kinds: the log-in lock of a token, held while a host opens it, and the registration of a
//! host in the state directory, held as long as it lives. Both name their holder. A holder is
//! ended only if it is a token host whose client has gone: such a process should have ended with
//! its client, and cannot, because it is stopped or stuck inside the module.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};

/// The argument, or the program, by which a token host is known.
const TOKEN_HOST: &str = "token-host";

/// A file that this process holds locked; its name is gone once it is dropped.
#[derive(Debug)]
pub(crate) struct HeldLock {
    path: PathBuf,
    _file: File,
}

/// The process that holds a lock, by what it wrote there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The process that started it.
    client: u32,
    /// What it belongs to, for people.
    of: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}, a token host of process {} ({})", self.pid, self.client, self.of)
    }
}

/// What came of trying a lock.
pub(crate) enum Tried {
    Held(HeldLock),
    /// By another process, known or not.
    Taken(Option<Holder>),
}

/// Takes a lock if it is free, and writes there who has it: this process, which belongs to `of`.
///
/// # Errors
/// When the file cannot be opened, written or locked for any other reason.
pub(crate) fn try_lock(path: &Path, of: &str) -> io::Result<Tried> {
    loop {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o660).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Tried::Taken(holder(path))),
            Err(error) => return Err(error.into()),
        }
        // The holder before may have taken the name away between our opening and our locking.
        if !is_still(path, &file) {
            continue;
        }
        // Others of the group lock it too, whatever the umask says; it may be another's file.
        let _ = file.set_permissions(fs::Permissions::from_mode(0o660));
        file.set_len(0)?;
        let client = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        writeln!(file, "{} {client} {of}", std::process::id())?;
        return Ok(Tried::Held(HeldLock { path: path.to_owned(), _file: file }));
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Before the lock itself goes. A name that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// The holder that a lock names.
fn holder(path: &Path) -> Option<Holder> {
    let text = fs::read_to_string(path).ok()?;
    let mut words = text.trim_end().splitn(3, ' ');
    let (pid, client) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Holder { pid, client, of: words.next().unwrap_or_default().to_owned() })
}

fn is_still(path: &Path, file: &File) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(here)) => identity(there) == identity(here),
        _ => false,
    }
}

/// Ends the holder of a lock if it is a token host that outlived its client; whether it was told to.
pub(crate) fn end_orphan(holder: &Holder) -> bool {
    let Some(pid) = i32::try_from(holder.pid).ok().and_then(Pid::from_raw) else { return false };
    // From here on the number cannot pass to another process unseen.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    if !is_token_host(holder.pid) || parent_of(holder.pid).is_none_or(|parent| parent == holder.client) {
        return false;
    }
    tracing::warn!(%holder, "a token host that outlived its client is ended");
    pidfd_send_signal(process, Signal::KILL).is_ok()
}

/// Ends every token host that registered in a directory and outlived its client.
pub(crate) fn end_orphans(registrations: &Path) {
    let Ok(entries) = fs::read_dir(registrations) else { return };
    for entry in entries.flatten() {
        match try_lock(&entry.path(), "nobody") {
            // Its host has gone; the name goes with the lock.
            Ok(Tried::Held(_) | Tried::Taken(None)) | Err(_) => {}
            Ok(Tried::Taken(Some(holder))) => {
                end_orphan(&holder);
            }
        }
    }
}

fn is_token_host(pid: u32) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments
        .split(|byte| *byte == 0)
        .any(|argument| Path::new(&*String::from_utf8_lossy(argument)).ends_with(TOKEN_HOST))
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; state and parent follow it.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::fs;

    use super::{Tried, end_orphan, end_orphans, try_lock};

    #[test]
    fn lock_names_its_holder_and_is_free_once_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let Tried::Held(held) = try_lock(&path, "instance default").unwrap() else { panic!("it is free") };
        let Tried::Taken(Some(holder)) = try_lock(&path, "another").unwrap() else { panic!("it is held") };
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.to_string().contains("instance default"), "{holder}");
        assert!(!end_orphan(&holder), "this process is no token host");
        drop(held);
        assert!(!path.exists());
        assert!(matches!(try_lock(&path, "another").unwrap(), Tried::Held(_)));
    }

    #[test]
    fn registrations_of_hosts_that_have_gone_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("4194304"), "4194304 1 gone\n").unwrap();
        end_orphans(directory.path());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
