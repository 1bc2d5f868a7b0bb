//! The memory of a refused PIN: a file with the token's serial number and a slow salted
//! hash, so that restarts do not spend the token's patience on a PIN that it refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use strongroom_domain::clock;
use strongroom_domain::secret::Pin;

/// Whether `pin` is the one that the token of this serial number refused last.
///
/// # Errors
/// When the memory is there and cannot be read.
pub(in crate::host) fn is_refused(memory: &Path, serial: &str, pin: &Pin) -> io::Result<bool> {
    let text = match fs::read_to_string(memory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let Some((known, hash)) = text.trim_end().split_once('\n') else { return Ok(false) };
    let same = PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(pin.expose().as_bytes(), &hash).is_ok());
    Ok(known == serial && same)
}

/// Forgets what was refused.
///
/// # Errors
/// When the memory is there and cannot be removed.
pub(crate) fn forget(memory: &Path) -> io::Result<()> {
    match fs::remove_file(memory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Draft of the record of a refused PIN. It is written before `C_Login` and renamed into place on
/// `CKR_PIN_INCORRECT`, because a rename needs no disk space: a full disk must not turn a restart loop
/// into a locked token.
pub(in crate::host) struct RefusalDraft {
    draft: PathBuf,
    memory: PathBuf,
}

impl RefusalDraft {
    /// Writes the draft.
    ///
    /// # Errors
    /// When it cannot be written and made durable.
    pub(in crate::host) fn new(memory: &Path, serial: &str, pin: &Pin) -> io::Result<Self> {
        let salt = clock::random::<16>().map_err(io::Error::other)?;
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(pin.expose().as_bytes(), &salt)
            .map_err(|_| io::Error::other("the PIN cannot be hashed"))?;
        let prepared = Self { draft: memory.with_extension("draft"), memory: memory.to_owned() };
        forget(&prepared.draft)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&prepared.draft)?;
        write!(file, "{serial}\n{hash}\n")?;
        file.sync_all()?;
        Ok(prepared)
    }

    /// The PIN was refused: remembers it.
    ///
    /// # Errors
    /// When the draft cannot be put in its place.
    pub(in crate::host) fn commit(self) -> io::Result<()> {
        fs::rename(&self.draft, &self.memory)?;
        self.memory.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    /// The PIN was taken, or not tried to the end: forgets the draft.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(in crate::host) fn discard(self) -> io::Result<()> {
        forget(&self.draft)
    }
}
