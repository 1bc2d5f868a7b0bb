//! Lists that are counted while they are read.

#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The beginning of every refusal of a list by its length, and of no other failure to read a body.
const REFUSAL: &str = "must be 1 to ";

/// At most `MOST` items; reading ends at the item after them, whatever follows.
#[derive(Debug)]
pub(crate) struct AtMost<T, const MOST: usize>(pub(crate) Vec<T>);

/// The refusal of a list by its length.
pub(crate) fn refusal(most: usize) -> String {
    format!("{REFUSAL}{most} items.")
}

/// The refusal in the text of a failure to read a body, if a list was too long.
pub(crate) fn refusal_in(failure: &str) -> Option<&str> {
    let end = failure.rfind(" at line ").unwrap_or(failure.len());
    failure.get(..end).filter(|text| text.starts_with(REFUSAL))
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CountingVisitor::<T, MOST>(PhantomData)).map(Self)
    }
}

struct CountingVisitor<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for CountingVisitor<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut taken = Vec::new();
        while taken.len() < MOST {
            let Some(item) = items.next_element()? else { return Ok(taken) };
            taken.push(item);
        }
        items.next_element_seed(Surplus(MOST))?;
        Ok(taken)
    }
}

/// An item for which there is no place: it is refused before it is read.
struct Surplus(usize);

impl<'de> DeserializeSeed<'de> for Surplus {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(D::Error::custom(refusal(self.0)))
    }
}
