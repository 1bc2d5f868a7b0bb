//! The nouns of the domain: keys, rings, states, algorithms and their encodings.
//!
//! Owns the vocabulary that every other room speaks: identifiers parsed once, closed
//! sets of algorithms and states, and DER newtypes. Does not own rules about who may
//! do what (`auth`), formats beyond plain names (`x509`, `jose`), or any I/O.
//!
//! Invariants: an identifier that exists is well formed; a [`KeyState`] moves only along
//! [`KeyState::may_become`]; a [`Locator`] never holds an object handle.

mod algorithm;
mod der;
mod ids;
mod pair;
mod ring;
mod state;
#[cfg(test)]
mod tests;

pub use algorithm::{
    DecryptionAlgorithm, EcCurve, EdwardsCurve, HashAlgorithm, KeyAlgorithm, KeyFamily, KeyParameters,
    SignatureAlgorithm, SignatureScheme,
};
pub use der::{CertificateDer, RsaPrivateKey, SealedKey, Signature, SpkiDer};
pub use ids::{IdError, KeyId, KeyName, Kid, Locator, SerialNumber, StoreId};
pub use pair::{KeyOrigin, KeyPair, KeyUse, ProviderKind};
pub use ring::{RingId, RingKind};
pub use state::KeyState;
