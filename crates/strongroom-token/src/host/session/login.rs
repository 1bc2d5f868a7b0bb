//! Logging in: the PIN, the lock that processes of one machine share, and the care that a
//! token with a limited patience needs.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use rustix::fs::{FlockOperation, flock};
use zeroize::Zeroize;

use super::known_pin;
use crate::host::error_text::describe;
use crate::options::PinSource;
use crate::protocol::{CallFailure, FailureClass, OpenCall};
use strongroom_domain::secret::Pin;

/// How long another process's start is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Reads a PIN; one trailing newline is not part of it.
///
/// # Errors
/// `PinUnreadable`.
pub(in crate::host) fn read_pin(source: &PinSource) -> Result<Pin, CallFailure> {
    let unreadable = |detail: String| CallFailure::new(FailureClass::PinUnreadable, detail);
    let path = match source {
        PinSource::File(path) => path.clone(),
        PinSource::Credential(name) => env::var_os("CREDENTIALS_DIRECTORY")
            .map(|folder| PathBuf::from(folder).join(name))
            .ok_or_else(|| unreadable(format!("credential {name}: systemd gave no credentials")))?,
    };
    let mut bytes = fs::read(&path).map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.is_empty() => Ok(Pin::new(text)),
        Ok(_) => Err(unreadable(format!("{}: the file is empty", path.display()))),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(unreadable(format!("{}: not UTF-8", path.display())))
        }
    }
}

/// The PIN in the form that a session takes.
pub(in crate::host) fn auth_pin(pin: &Pin) -> AuthPin {
    AuthPin::from(pin.expose())
}

/// Holds others back while a token is opened: processes that log in together read
/// SoftHSM's token file while it is rewritten and find no token (11 of 40, 2026-11-20).
///
/// Whoever holds the lock for ever cannot stop this host: after a while it goes on
/// without.
pub(in crate::host) fn lock(path: &Path) -> Option<File> {
    let file = File::open(path)
        .map_err(|error| tracing::warn!(%error, path = %path.display(), "logging in without the lock"))
        .ok()?;
    let since = Instant::now();
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK || since.elapsed() > LOCK_PATIENCE {
            tracing::warn!(%error, path = %path.display(), "logging in without the lock");
            return None;
        }
        thread::sleep(LOCK_POLL);
    }
    Some(file)
}

/// Logs the process in by one session, if it is safe to try.
///
/// # Errors
/// The PIN classes, or what the token answered; with the hash of the PIN once it was compared.
pub(in crate::host) fn log_in(
    session: &Session,
    info: &TokenInfo,
    pin: &Pin,
    opening: &OpenCall,
) -> Result<(), CallFailure> {
    if info.user_pin_locked() || info.user_pin_final_try() {
        return Err(CallFailure::new(
            FailureClass::PinLocked,
            "the token is one wrong PIN from being locked, or past it",
        ));
    }
    let about =
        |class, detail: String, hash: String| CallFailure { pin: Some(hash), ..CallFailure::new(class, detail) };
    let Some(known) = known_pin::find(&opening.known_pins, info.serial_number(), pin) else {
        let detail = "this PIN was never tried".to_owned();
        return Err(about(FailureClass::PinUntried, detail, known_pin::hash(pin)?));
    };
    if !known.may_try {
        let detail = "this PIN was refused before; it was not tried again".to_owned();
        return Err(about(FailureClass::PinRemembered, detail, known.hash.clone()));
    }
    match session.login(UserType::User, Some(&auth_pin(pin))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(about(refusal(&error), describe(&error), known.hash.clone())),
    }
}

const fn refusal(error: &Error) -> FailureClass {
    match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            FailureClass::PinRefused
        }
        Error::Pkcs11(RvError::PinLocked, _) => FailureClass::PinLocked,
        _ => FailureClass::Unavailable,
    }
}
