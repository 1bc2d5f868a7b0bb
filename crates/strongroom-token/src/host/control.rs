//! Operations of our own, which show whether a token works that failed others.

use cryptoki::session::Session;

use super::operations::sign;
use super::session::token::Token;
use crate::key::SignInput;
use crate::options::SignatureVerification;
use crate::protocol::SignCall;

/// One of so many signatures is verified where they are sampled.
const SAMPLE: u32 = 64;
/// What is signed: nothing that anybody asked for.
const INPUT: &[u8] = b"strongroom: does this token sign?";

/// A signature of our own in the way of another.
pub(super) fn of(request: &SignCall) -> SignCall {
    let input = match request.algorithm.hash() {
        Some(hash) => SignInput::Digest(hash.digest(INPUT)),
        None => SignInput::Message(INPUT.to_vec()),
    };
    SignCall { input, ..request.clone() }
}

/// Whether a session makes a signature that verifies.
pub(super) fn passes(token: &Token, session: &Session, trial: &SignCall) -> bool {
    let signed = token
        .private_key(session, &trial.id, trial.key)
        .and_then(|handle| sign::sign(session, handle, &token.mechanisms, trial));
    signed.is_ok_and(|signature| sign::verifies(trial, &signature))
}

impl SignatureVerification {
    /// Whether the next signature is verified, the first by a handle apart.
    pub(super) const fn takes(self, signed: &mut u32) -> bool {
        *signed = signed.wrapping_add(1);
        match self {
            Self::Every => true,
            Self::Sampled => signed.is_multiple_of(SAMPLE),
            Self::First => false,
        }
    }
}
