//! JSON of callers that is signed, stored or shown as it came (RFC 8259).
//!
//! Owns the text of such JSON and what is refused in it. Does not own what the members of an object mean to whoever
//! asked for it, or JSON of this daemon's own making.
//!
//! Invariants: numbers keep their digits, strings their escapes, members their order; blanks between tokens are left
//! out. No object has a member twice and no string half a surrogate pair, for readers disagree on both; no number is
//! out of the range of IEEE 754 binary64, and nothing is nested deeper than 127 levels, for many cannot read it.

mod object;
#[cfg(test)]
mod tests;
mod text;

pub use object::JsonObject;
pub use text::{JsonFault, JsonText};
