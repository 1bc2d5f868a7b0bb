//! The store's methods, by noun: each is one transaction together with its audit events.
//!
//! Owns the rule of each transaction: which tables change together, and in what order. Does
//! not own the SQL of a table, which stands in the table's own file one folder up.
//!
//! Invariants: a change without its event, or an event without its change, cannot be; the
//! epoch advances with every change that another daemon may have in memory.

mod audit;
mod documents;
mod key_pair_rules;
mod key_pairs;
mod master_keys;
mod members;
mod pins;
mod rings;
