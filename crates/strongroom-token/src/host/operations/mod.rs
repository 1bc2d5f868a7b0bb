//! What is done with keys: generation, import, search, signatures, decryption.
//!
//! Owns each operation in one session, with the checks before it and the proof after it.
//! Does not own sessions, the handles that workers remember, nor what is tried again.
//!
//! Invariants: a request that makes no sense reaches no token; a key is made, brought in or
//! found only together with a proof that its halves belong together.

pub(super) mod decrypt;
pub(super) mod find;
pub(super) mod import;
pub(super) mod keygen;
pub(super) mod sign;
