//! Key algorithms and what they can do: sign and decrypt, each a closed set.
//!
//! Owns the [`table`]: each key algorithm and each signature algorithm is a row there, with its
//! names, sizes, object identifiers and software implementation. Does not own the mechanisms of
//! tokens (PKCS#11), nor the encodings of X.509 and JOSE.
//!
//! Invariants: no other file compares or matches individual algorithms; who has to tell them
//! apart asks for a column of the row, or matches on [`KeyFamily`], [`KeyParameters`] or
//! [`SignatureScheme`]. A new algorithm is thus a row, its token mechanism and its tests.

mod decryption;
mod hash;
mod key;
mod signature;
mod table;

pub use decryption::DecryptionAlgorithm;
pub use hash::HashAlgorithm;
pub use key::{EcCurve, EdwardsCurve, KeyAlgorithm, KeyFamily, KeyParameters};
pub use signature::{SignatureAlgorithm, SignatureScheme};
