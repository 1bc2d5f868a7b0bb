//! Callers and policy.
//!
//! Owns credentials (as hashes), the reading of an `Authorization` header, scopes, the
//! caller that services are given, and the policy, which denies by default. Does not own
//! HTTP statuses or the dialects' words for roles.
//!
//! Invariants: a secret is never kept, only its SHA-256 (secrets are random and at
//! least 32 characters long, so a slow hash would add nothing); every comparison takes
//! the same time wherever the difference is.

mod caller;
mod credential;
pub mod policy;
mod principal;
#[cfg(test)]
mod tests;

pub use caller::{Caller, IdempotencyKey, Origin, Task};
pub use credential::{AuthScheme, Authenticator, Credential, CredentialError, SecretHash, new_secret};
pub use policy::Denied;
pub use principal::{Principal, Scope};
