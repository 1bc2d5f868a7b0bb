//! The open token of this process: what its workers share.

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};
use cryptoki::slot::Slot;
use parking_lot::Mutex;

use super::login::{lock, log_in, read_pin};
use crate::host::mechanism::{self, MechanismList};
use crate::host::module;
use crate::options::Profile;
use crate::protocol::{CallFailure, FailureClass, OpenCall, TokenFacts};
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm};

/// A logged-in token.
pub(in crate::host) struct Token {
    module: Pkcs11,
    slot: Slot,
    keeps: bool,
    pub(in crate::host) profile: Profile,
    pub(in crate::host) mechanisms: MechanismList,
    /// How an RSA key can decrypt, the best first; empty until it was tried.
    pub(in crate::host) decryptions: Vec<DecryptionAlgorithm>,
    /// Never used and never closed: closing the last session logs out.
    _idle: Mutex<Session>,
}

impl Token {
    /// Loads the module, finds the token and logs in.
    ///
    /// # Errors
    /// Everything that can be wrong with module, token or PIN; with the token's facts
    /// once it was found.
    pub(in crate::host) fn open(opening: &OpenCall) -> Result<(Self, TokenFacts), CallFailure> {
        let pin = read_pin(&opening.pin)?;
        let _lock = lock(&opening.lock)?;
        let module = module::load(&opening.module)?;
        let (slot, info) = module::select(&module, &opening.selector)?;
        let mechanisms = module::mechanisms(&module, slot)?;
        let logged_in = open_session(&module, slot, opening.keeps).and_then(|session| {
            log_in(&session, &info, &pin, opening)?;
            Ok(session)
        });
        // Read again, because a log-in changes what the token says of its PIN.
        let info = module.get_token_info(slot).unwrap_or(info);
        let facts = module::facts(slot, &info, &mechanisms);
        let idle = logged_in.map_err(|failure| CallFailure { facts: Some(Box::new(facts.clone())), ..failure })?;
        let (keeps, profile, decryptions) = (opening.keeps, opening.profile, Vec::new());
        Ok((Self { module, slot, keeps, profile, mechanisms, decryptions, _idle: Mutex::new(idle) }, facts))
    }

    /// Another session, logged in as the process is.
    ///
    /// # Errors
    /// What the token answered.
    pub(in crate::host) fn session(&self) -> Result<Session, CallFailure> {
        open_session(&self.module, self.slot, self.keeps)
    }

    /// Whether the token answers and the session still is the user's. Only then does an
    /// empty search mean that there is nothing: SoftHSM finds no objects, without an
    /// error, in a token whose folder has gone (2026-11-20).
    pub(in crate::host) fn is_alive(&self, session: &Session) -> bool {
        self.module.get_token_info(self.slot).is_ok()
            && session
                .get_session_info()
                .is_ok_and(|info| matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser))
    }

    /// What it means that a search found nothing.
    pub(in crate::host) fn not_found_failure(&self, session: &Session) -> CallFailure {
        if self.is_alive(session) {
            CallFailure::new(FailureClass::KeyMissing, "the token has no such key")
        } else {
            CallFailure::new(FailureClass::Broken, "the token has gone")
        }
    }

    /// The one private key with this `CKA_ID`, if its type is that of `algorithm`.
    ///
    /// # Errors
    /// `KeyMissing` when a living token has none, `Refused` when it has several or one of
    /// another type.
    pub(in crate::host) fn private_key(
        &self,
        session: &Session,
        id: &[u8],
        algorithm: KeyAlgorithm,
    ) -> Result<ObjectHandle, CallFailure> {
        let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
        let found = session.find_objects(&[class, Attribute::Id(id.to_vec())])?;
        let handle = match found.as_slice() {
            [one] => *one,
            [] => return Err(self.not_found_failure(session)),
            several => {
                let detail = format!("{} private keys have this CKA_ID", several.len());
                return Err(CallFailure::new(FailureClass::Refused, detail));
            }
        };
        let wanted = mechanism::key_type(algorithm);
        if session.get_attributes(handle, &[AttributeType::KeyType])?.contains(&Attribute::KeyType(wanted)) {
            Ok(handle)
        } else {
            Err(CallFailure::new(FailureClass::Refused, format!("the private key with this CKA_ID is no {algorithm}")))
        }
    }
}

fn open_session(module: &Pkcs11, slot: Slot, read_write: bool) -> Result<Session, CallFailure> {
    Ok(if read_write { module.open_rw_session(slot) } else { module.open_ro_session(slot) }?)
}
