//! What is remembered of PINs, so that a wrong one spends one attempt of the token's patience, whatever restarts.
//!
//! Whoever keeps the memory never sees a PIN: token hosts alone read it, and say which salted slow hash it has.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

/// The file in the state directory that remembers a refused PIN.
pub(crate) const REFUSED_PIN: &str = "refused-pin";

/// A memory of PINs, read before each log-in and written before each attempt.
pub trait PinMemory: fmt::Debug + Send + Sync {
    /// Everything that is remembered.
    fn recall(&self) -> BoxFuture<'_, Result<Vec<PinRecord>, PinMemoryError>>;

    /// Asks whether a PIN may be tried now. [`PinVerdict::Granted`] is on record before it is given.
    fn begin(&self, attempt: PinAttempt) -> BoxFuture<'_, Result<PinVerdict, PinMemoryError>>;

    /// Records the end of an attempt that was granted.
    fn end(&self, token: String, hash: String, outcome: PinOutcome) -> BoxFuture<'_, Result<(), PinMemoryError>>;
}

/// The memory cannot be read or written: no PIN is tried.
#[derive(Debug, thiserror::Error)]
#[error("the memory of refused PINs cannot be used: {0}")]
pub struct PinMemoryError(pub String);

impl From<io::Error> for PinMemoryError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A PIN that was tried, by a salted slow hash in the PHC string format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRecord {
    /// The serial number of the token.
    pub token: String,
    pub hash: String,
    /// Whether the token took it when it was last tried.
    pub worked: bool,
}

/// A PIN that a token host would log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinAttempt {
    pub token: String,
    /// The hash of its record, or a new one where no record is of this PIN.
    pub hash: String,
    /// The hashes of the token's records that the PIN was compared with.
    pub compared: Vec<String>,
    /// Whether a PIN that was refused once after it had worked is tried once more.
    pub again: bool,
}

/// Whether a PIN may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinVerdict {
    Granted,
    /// It was refused before, or attempts of it were cut short too often.
    Refused,
    /// Another client is trying a PIN that has not worked yet.
    Busy,
    /// There are records that it was not compared with.
    Unseen,
}

/// End of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinOutcome {
    Worked,
    Refused,
    /// The token neither took nor refused the PIN.
    NotTried,
}

/// The memory of one client: a file in its state directory that holds the PIN refused last.
#[derive(Clone, Debug)]
pub struct FilePinMemory {
    file: PathBuf,
}

impl FilePinMemory {
    /// The memory in a state directory.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { file: state_dir.join(REFUSED_PIN) }
    }

    /// The PIN that was refused, if one was.
    ///
    /// # Errors
    /// When the memory is there and cannot be read.
    pub fn refused(&self) -> io::Result<Option<PinRecord>> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let record = text.trim_end().split_once('\n');
        Ok(record.map(|(token, hash)| PinRecord { token: token.to_owned(), hash: hash.to_owned(), worked: false }))
    }

    /// Forgets the refusal, so that the next host tries the PIN again.
    ///
    /// # Errors
    /// When the memory is there and cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        forget(&self.file)
    }

    /// Writes the record beside its place: a rename needs no disk space, and a full disk must not turn a restart
    /// loop into a locked token.
    fn draft(&self, attempt: &PinAttempt) -> io::Result<PinVerdict> {
        let known = self.refused()?;
        if !attempt.again && known.is_some_and(|record| record.token == attempt.token && record.hash == attempt.hash) {
            return Ok(PinVerdict::Refused);
        }
        let draft = self.file.with_extension("draft");
        forget(&draft)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        write!(file, "{}\n{}\n", attempt.token, attempt.hash)?;
        file.sync_all()?;
        Ok(PinVerdict::Granted)
    }

    fn settle(&self, outcome: PinOutcome) -> io::Result<()> {
        let draft = self.file.with_extension("draft");
        match outcome {
            PinOutcome::Refused => {
                fs::rename(draft, &self.file)?;
                self.file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
            }
            PinOutcome::NotTried => forget(&draft),
            PinOutcome::Worked => {
                forget(&draft)?;
                self.forget()
            }
        }
    }
}

impl PinMemory for FilePinMemory {
    fn recall(&self) -> BoxFuture<'_, Result<Vec<PinRecord>, PinMemoryError>> {
        Box::pin(async { Ok(self.refused()?.into_iter().collect()) })
    }

    fn begin(&self, attempt: PinAttempt) -> BoxFuture<'_, Result<PinVerdict, PinMemoryError>> {
        Box::pin(async move { Ok(self.draft(&attempt)?) })
    }

    fn end(&self, _token: String, _hash: String, outcome: PinOutcome) -> BoxFuture<'_, Result<(), PinMemoryError>> {
        Box::pin(async move { Ok(self.settle(outcome)?) })
    }
}

/// Forgets that a PIN was refused, so that the next host tries it again.
///
/// # Errors
/// When the memory is there and cannot be removed.
pub fn forget_refused_pin(state_dir: &Path) -> io::Result<()> {
    FilePinMemory::new(state_dir).forget()
}

/// Tells the client of a state directory that its memory has forgotten a refusal, wherever it keeps it.
///
/// # Errors
/// When the file that says so cannot be written.
pub fn announce_forgotten_pin(state_dir: &Path) -> io::Result<()> {
    forget_refused_pin(state_dir)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(state_dir.join(REFUSED_PIN)).map(drop)
}

fn forget(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn refused_pin_is_remembered_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let memory = FilePinMemory::new(folder.path());
        let attempt =
            |again| PinAttempt { token: "serial 1".to_owned(), hash: "a hash".to_owned(), compared: Vec::new(), again };
        let end = async |outcome| memory.end("serial 1".to_owned(), "a hash".to_owned(), outcome).await.unwrap();
        assert_eq!(memory.begin(attempt(false)).await.unwrap(), PinVerdict::Granted);
        end(PinOutcome::NotTried).await;
        assert_eq!(memory.recall().await.unwrap(), []);
        memory.begin(attempt(false)).await.unwrap();
        end(PinOutcome::Refused).await;
        let record = PinRecord { token: "serial 1".to_owned(), hash: "a hash".to_owned(), worked: false };
        assert_eq!(memory.recall().await.unwrap(), [record]);
        assert_eq!(memory.begin(attempt(false)).await.unwrap(), PinVerdict::Refused);
        assert_eq!(memory.begin(attempt(true)).await.unwrap(), PinVerdict::Granted);
        end(PinOutcome::Worked).await;
        assert_eq!(memory.recall().await.unwrap(), []);
        forget_refused_pin(folder.path()).unwrap();
    }
}
