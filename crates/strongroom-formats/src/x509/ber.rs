//! BER made DER, as far as real writers differ: lengths left open, and octet strings in
//! pieces (X.690 sections 8.1.3.6 and 8.7.3).

use zeroize::Zeroizing;

/// Deeper than any key file or certificate nests.
const DEEPEST: usize = 32;

const CONSTRUCTED: u8 = 0x20;
const OCTET_STRING: u8 = 0x04;

/// The DER of an element whose length is left open; `None` where it is not, or where it is no BER.
#[must_use]
pub fn to_der(ber: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if ber.get(1) != Some(&0x80) {
        return None;
    }
    let (element, rest) = Element::take(ber, 0)?;
    rest.is_empty().then(|| element.encode())
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
        let length = self.contents.len();
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let mut der = Zeroizing::new(Vec::with_capacity(length + 10));
        der.push(self.tag);
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => der.push(short),
            _ => {
                der.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
                der.extend_from_slice(&digits);
            }
        }
        der.extend_from_slice(&self.contents);
        der
    }
}

fn definite_length(first: u8, rest: &[u8]) -> Option<(usize, &[u8])> {
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length =
        digits.iter().try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add((*digit).into()))?;
    Some((length, rest))
}
