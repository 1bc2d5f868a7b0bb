//! Software keys, sealed at rest.
//!
//! Owns generation, import and use of private keys by aws-lc-rs, the sealing of each under
//! a master key, and the unsealing of master keys by a token or a key file. Keeps nothing:
//! sealed keys travel in [`super::KeyRef::sealed`], master keys come from the composition
//! root, so that the store need not be met.
//!
//! Invariants: no private key is ever written in clear; a blob that was swapped, altered or
//! replayed does not open (AES-256-GCM, key id and purpose as associated data); what was
//! opened is wiped after use.
