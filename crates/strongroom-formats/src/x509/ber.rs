//! BER made DER, as far as real writers differ: lengths left open, and octet strings in
//! pieces (X.690 sections 8.1.3.6 and 8.7.3).

use zeroize::Zeroizing;

use super::tlv::{self, Tlv, definite_length};

/// Deeper than any key file or certificate nests.
const DEEPEST: usize = 32;

const CONSTRUCTED: u8 = 0x20;
const OCTET_STRING: u8 = 0x04;

/// The DER of an element that is in BER, or that harmless bytes follow; `None` where neither is so, or it is no element.
///
/// Zeros, line ends, blanks and the end mark of DOS do no harm.
#[must_use]
pub fn to_der(ber: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if ber.get(1) == Some(&0x80) {
        let (element, rest) = Element::take(ber, 0)?;
        return is_harmless(rest).then(|| element.encode());
    }
    let (element, rest) = Tlv::take(ber)?;
    if !is_harmless(rest) {
        return None;
    }
    if is_ber(element.whole, 0) {
        return Element::take(element.whole, 0).map(|(element, _)| element.encode());
    }
    (!rest.is_empty()).then(|| Zeroizing::new(element.whole.to_vec()))
}

/// Whether bytes after the end of a file mean nothing.
pub(super) fn is_harmless(rest: &[u8]) -> bool {
    rest.iter().all(|byte| matches!(byte, 0 | 0x1a) || byte.is_ascii_whitespace())
}

/// Whether a length is left open inside of elements whose lengths are not, or an octet string is in pieces.
fn is_ber(mut elements: &[u8], depth: usize) -> bool {
    while let [tag, length, ..] = elements {
        let constructed = tag & CONSTRUCTED != 0;
        if constructed && (*length == 0x80 || *tag == OCTET_STRING | CONSTRUCTED) {
            return true;
        }
        let Some((element, rest)) = Tlv::take(elements) else { return false };
        if constructed && depth < DEEPEST && is_ber(element.contents, depth + 1) {
            return true;
        }
        elements = rest;
    }
    false
}

struct Element {
    tag: u8,
    contents: Zeroizing<Vec<u8>>,
}

impl Element {
    /// The first element, in DER, and what follows it.
    fn take(ber: &[u8], depth: usize) -> Option<(Self, &[u8])> {
        let (&tag, rest) = ber.split_first()?;
        let (&length, rest) = rest.split_first()?;
        // Tags of several bytes occur in none of the formats here.
        if tag & 0x1f == 0x1f || depth > DEEPEST {
            return None;
        }
        let constructed = tag & CONSTRUCTED != 0;
        if length == 0x80 {
            return if constructed { Self::children(tag, rest, None, depth) } else { None };
        }
        let (length, rest) = definite_length(length, rest)?;
        let (contents, after) = rest.split_at_checked(length)?;
        if constructed {
            return Self::children(tag, contents, Some(after), depth);
        }
        Some((Self { tag, contents: Zeroizing::new(contents.to_vec()) }, after))
    }

    /// Elements up to the end of `inner`, or up to its end-of-contents mark when nothing is
    /// known to follow.
    fn children<'a>(tag: u8, mut inner: &'a [u8], after: Option<&'a [u8]>, depth: usize) -> Option<(Self, &'a [u8])> {
        let in_pieces = tag == OCTET_STRING | CONSTRUCTED;
        let mut contents = Zeroizing::new(Vec::new());
        let after = loop {
            match (after, inner) {
                (Some(after), []) | (None, [0, 0, after @ ..]) => break after,
                _ => {}
            }
            let (child, rest) = Self::take(inner, depth + 1)?;
            if !in_pieces {
                contents.extend_from_slice(&child.encode());
            } else if child.tag == OCTET_STRING {
                contents.extend_from_slice(&child.contents);
            } else {
                return None;
            }
            inner = rest;
        };
        let tag = if in_pieces { OCTET_STRING } else { tag };
        Some((Self { tag, contents }, after))
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(tlv::encode(self.tag, &self.contents))
    }
}
