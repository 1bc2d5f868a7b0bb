//! stub
pub mod host;
mod protocol;
pub use protocol::TokenFacts;
