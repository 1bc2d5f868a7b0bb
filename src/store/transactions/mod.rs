//! The store's methods, by noun: each is one transaction together with its audit events.

mod audit;
mod documents;
mod key_pairs;
mod master_keys;
mod rings;
