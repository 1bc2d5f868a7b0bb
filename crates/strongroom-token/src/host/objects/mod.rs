//! Key objects: their attributes, written and read.
//!
//! Owns templates of what is made, the proof that an object is as its template asked,
//! encodings of public and private halves, and the list of what the token holds. Does not
//! own the use of a key.
//!
//! Invariants: an object is proven by what is read back, never by what was written; objects
//! of other owners are listed by nobody and destroyed by nobody.

pub(super) mod inventory;
pub(super) mod private_key;
pub(super) mod public_key;
pub(super) mod template;
