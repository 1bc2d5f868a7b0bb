//! The two forms of an ECDSA signature: `r || s` of PKCS#11 and JOSE, and the DER of
//! X.509 and TLS.

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

/// Bytes that are no ECDSA signature of the form that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ECDSA signature")]
pub struct NotEcdsa;

/// `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3).
#[derive(Sequence)]
struct SigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The DER form of `r || s`, both of the same width.
///
/// # Errors
/// When `raw` is empty or has no two halves.
pub fn to_der(raw: &[u8]) -> Result<Vec<u8>, NotEcdsa> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) {
        return Err(NotEcdsa);
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    let value = |bytes| UintRef::new(bytes).map_err(|_| NotEcdsa);
    SigValue { r: value(r)?, s: value(s)? }.to_der().map_err(|_| NotEcdsa)
}

/// The form `r || s` with both `width` bytes wide: 32, 48 or 66 (RFC 7518 section 3.4).
///
/// # Errors
/// When `der` is no signature, or one of a wider curve.
pub fn to_raw(der: &[u8], width: usize) -> Result<Vec<u8>, NotEcdsa> {
    let value = SigValue::from_der(der).map_err(|_| NotEcdsa)?;
    let mut raw = Vec::with_capacity(2 * width);
    for integer in [value.r, value.s] {
        let padding = width.checked_sub(integer.as_bytes().len()).ok_or(NotEcdsa)?;
        raw.resize(raw.len() + padding, 0);
        raw.extend_from_slice(integer.as_bytes());
    }
    Ok(raw)
}
