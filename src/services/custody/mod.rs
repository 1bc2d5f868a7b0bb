//! Custody: what keeps the keys that there are, and those that are made ahead.
//!
//! Owns the comparison of token with store, the filling of the stock, the master keys of
//! software keys, and whether the daemon is ready. Does not own how a key pair is made,
//! found or given up (`lifecycle`): it asks a keyring for that.
//!
//! Invariants: objects that no row knows are reported and never touched; a key is made
//! ahead only while nobody asks anything of the token; a master key under which something
//! is sealed is never forgotten.

mod master_keys;
mod missing_keys;
mod readiness;
mod reconcile;
mod reconciler;
mod stock_filler;
#[cfg(test)]
mod tests;

pub use master_keys::{LocalKeyInspection, MasterKeys, NewMasterKey, REFRESH_EVERY, ResealReport};
pub use missing_keys::MissingKeys;
pub use readiness::{Readiness, unreachable_keys};
pub use reconcile::{Finding, ReconcileMode, ReconcileReport, Reconciler};
pub use stock_filler::StockFiller;
