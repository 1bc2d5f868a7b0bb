//! Whether a PIN is one that the client has a record of, by its salted slow hash.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::protocol::{CallFailure, FailureClass, KnownPin};
use strongroom_domain::clock;
use strongroom_domain::secret::Pin;

/// The record of a PIN among those of a token.
pub(in crate::host) fn find<'k>(known: &'k [KnownPin], token: &str, pin: &Pin) -> Option<&'k KnownPin> {
    // A PIN that may be tried comes first: it is the one that worked.
    let (first, rest): (Vec<&KnownPin>, Vec<&KnownPin>) =
        known.iter().filter(|record| record.token == token).partition(|record| record.may_try);
    first.into_iter().chain(rest).find(|record| {
        PasswordHash::new(&record.hash)
            .is_ok_and(|hash| Argon2::default().verify_password(pin.expose().as_bytes(), &hash).is_ok())
    })
}

/// A new hash of a PIN, with a salt of its own.
///
/// # Errors
/// `Unavailable` when the system gives no random bytes.
pub(in crate::host) fn hash(pin: &Pin) -> Result<String, CallFailure> {
    let unavailable = |detail: String| CallFailure::new(FailureClass::Unavailable, detail);
    let salt = clock::random::<16>().map_err(|failure| unavailable(failure.to_string()))?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(pin.expose().as_bytes(), &salt)
        .map_err(|_| unavailable("the PIN cannot be hashed".to_owned()))?;
    Ok(hash.to_string())
}
