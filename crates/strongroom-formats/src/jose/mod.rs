//! JOSE formats without I/O: public keys as JWK, thumbprints, names of algorithms, JWS.
//!
//! Owns how a public key looks in JSON and what it is called there. Does not own which keys are
//! published or who may sign (`lifecycle`, `signing`).
//!
//! Invariants: only what RFC 7518 and RFC 8037 can express is expressed; a kid that is a thumbprint
//! depends on the public key and on nothing else; a JWK has no private member.

mod algorithm;
mod jwk;
mod jws;
mod required_members;
#[cfg(test)]
mod tests;
mod thumbprint;

pub use algorithm::{algorithm_name, algorithm_of};
pub use jwk::Jwk;
pub use jws::{HeaderFault, UnsignedJws, header_fault};
pub use required_members::UnsupportedKey;
pub use thumbprint::thumbprint;
