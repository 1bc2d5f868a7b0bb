//! Elements of DER by tag, length and value, whatever their type: certificates of others hold types that the crate
//! `der` does not know, such as `UniversalString`.

use std::fmt;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]` to `[3]`, constructed.
pub(crate) const CONTEXT: [u8; 4] = [0xa0, 0xa1, 0xa2, 0xa3];

/// One element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// Tag, length and contents.
    pub(crate) whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The first element and what follows it; `None` where none is whole, or its length is left open.
    pub(crate) fn take(der: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // Tags of several bytes occur in none of the formats here.
        if tag & 0x1f == 0x1f || first == 0x80 {
            return None;
        }
        let (length, rest) = definite_length(first, rest)?;
        let (contents, after) = rest.split_at_checked(length)?;
        let whole = der.get(..der.len() - after.len())?;
        Some((Self { tag, contents, whole }, after))
    }

    /// The only element.
    pub(crate) fn only(der: &'a [u8]) -> Option<Self> {
        Self::take(der).filter(|(_, after)| after.is_empty()).map(|(element, _)| element)
    }

    /// The elements inside of a constructed one of this tag.
    pub(crate) fn elements(self, tag: u8) -> Option<Vec<Self>> {
        if self.tag != tag {
            return None;
        }
        let (mut found, mut rest) = (Vec::new(), self.contents);
        while !rest.is_empty() {
            let (element, after) = Self::take(rest)?;
            found.push(element);
            rest = after;
        }
        Some(found)
    }

    /// The contents, where the element has this tag.
    pub(crate) fn contents_of(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.contents)
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({:#04x}, {} bytes)", self.tag, self.contents.len())
    }
}

/// The length of an element (X.690 section 8.1.3), by its first byte and the bytes after that.
pub(crate) fn definite_length(first: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length =
        digits.iter().try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add((*digit).into()))?;
    Some((length, rest))
}

/// An element of this tag around some contents.
pub(crate) fn encode(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut der = Vec::with_capacity(length + 10);
    der.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            der.extend_from_slice(&digits);
        }
    }
    der.extend_from_slice(contents);
    der
}
