//! Logging in: the PIN, the lock that hosts of one token share, and the care that a token with
//! a limited patience needs.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use zeroize::Zeroize;

use super::refused_pin::{self, RefusalDraft};
use crate::host::error_text::describe;
use crate::lock_file::{self, HeldLock, Tried};
use crate::options::PinSource;
use crate::protocol::{CallFailure, FailureClass, LockName, OpenCall};
use strongroom_domain::secret::Pin;

/// How long another process's start is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);
/// How long a holder is given before it is looked at.
const LOCK_ORPHAN: Duration = Duration::from_millis(100);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Reads a PIN; one trailing newline is not part of it.
///
/// # Errors
/// `PinUnreadable`.
pub(in crate::host) fn read_pin(source: &PinSource) -> Result<Pin, CallFailure> {
    let unreadable = |detail: String| CallFailure::new(FailureClass::PinUnreadable, detail);
    let path = source.path().map_err(unreadable)?;
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

/// Holds others back while a token is opened. A holder that outlived its client is ended; any other is
/// waited for, and named once that took too long.
///
/// # Errors
/// `Unavailable` when the lock cannot be had: going on without it would break other hosts' log-in.
pub(in crate::host) fn lock(name: &LockName) -> Result<HeldLock, CallFailure> {
    let LockName { path, of } = name;
    let unavailable = |detail: String| {
        let detail = format!("the log-in lock {}: {detail}", path.display());
        CallFailure::new(FailureClass::Unavailable, detail)
    };
    let since = Instant::now();
    let mut told = false;
    loop {
        let holder = match lock_file::try_lock(path, of).map_err(|error| unavailable(error.to_string()))? {
            Tried::Held(lock) => return Ok(lock),
            Tried::Taken(holder) => holder,
        };
        if !told && since.elapsed() > LOCK_ORPHAN {
            told = holder.as_ref().is_some_and(lock_file::end_orphan);
        }
        if since.elapsed() > LOCK_PATIENCE {
            let holder = holder.map_or_else(|| "a process that did not say its name".to_owned(), |h| h.to_string());
            return Err(unavailable(format!("held by {holder}")));
        }
        thread::sleep(LOCK_POLL);
    }
}

/// Logs the process in by one session, if it is safe to try.
///
/// # Errors
/// The PIN classes, `Unavailable` when the refusal could not be remembered, or what the
/// token answered.
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
    let memory = &opening.refused_pin;
    let unwritable = |error: std::io::Error| {
        CallFailure::new(FailureClass::Unavailable, format!("no log-in without {}: {error}", memory.display()))
    };
    let once_more = opening.try_refused && !info.user_pin_count_low();
    if !once_more && refused_pin::is_refused(memory, info.serial_number(), pin).map_err(unwritable)? {
        return Err(CallFailure::new(
            FailureClass::PinRemembered,
            "this PIN was refused before; it was not tried again",
        ));
    }
    let prepared = RefusalDraft::new(memory, info.serial_number(), pin).map_err(unwritable)?;
    let (class, error) = match session.login(UserType::User, Some(&auth_pin(pin))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
            prepared.discard().map_err(unwritable)?;
            return refused_pin::forget(memory).map_err(unwritable);
        }
        Err(error) => (refusal(&error), error),
    };
    match class {
        FailureClass::PinRefused => prepared.commit(),
        _ => prepared.discard(),
    }
    .map_err(unwritable)?;
    Err(CallFailure::new(class, describe(&error)))
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
