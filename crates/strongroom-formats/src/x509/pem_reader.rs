//! Bytes as people paste them: DER, PEM, base64 of either, with line breaks as they
//! come, left out, or escaped as in JSON; and DER where it was BER.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::tlv::Tlv;
use super::to_der;

const BEGIN: &str = "-----BEGIN ";
/// Of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const DASHES: &str = "-----";

/// Padding may have been lost on the way.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decoded input.
#[derive(Debug)]
pub enum PemInput {
    /// Not PEM: DER, unless it is something else.
    Bare(Zeroizing<Vec<u8>>),
    /// At least one block.
    Pem(Vec<PemBlock>),
}

/// One block of a PEM text (RFC 7468).
pub struct PemBlock {
    pub label: String,
    /// Whether OpenSSL's own encryption stands in its headers (RFC 1421 section 4.6.1.1).
    pub encrypted: bool,
    pub contents: Zeroizing<Vec<u8>>,
}

/// Why no bytes are under an armour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPem {
    #[error("neither PEM nor base64")]
    Neither,
    #[error("text in UTF-16, as Windows PowerShell writes it, where UTF-8 or ASCII is accepted")]
    Utf16,
    #[error("base64 of base64, where it is accepted once")]
    Base64Twice,
}

/// Takes the armour off.
///
/// # Errors
/// When text is neither PEM nor base64, a block has no end, or the armour is one of those that [`NotPem`] names.
pub fn read_pem_or_der(data: &[u8]) -> Result<PemInput, NotPem> {
    if is_utf_16(data) {
        return Err(NotPem::Utf16);
    }
    let data = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
    if !is_text(data) {
        return Ok(PemInput::Bare(to_der(data).unwrap_or_else(|| Zeroizing::new(data.to_vec()))));
    }
    if let Some(blocks) = pem(data)? {
        return Ok(PemInput::Pem(blocks));
    }
    let decoded = base64(&unescaped(data))?;
    let decoded = decoded.strip_prefix(BYTE_ORDER_MARK).map(|rest| Zeroizing::new(rest.to_vec())).unwrap_or(decoded);
    let blocks = if is_text(&decoded) { pem(&decoded)? } else { None };
    match blocks {
        Some(blocks) => Ok(PemInput::Pem(blocks)),
        None => once(decoded).map(PemInput::Bare),
    }
}

/// How many bytes follow the first element; `None` where none do, or there is no element.
pub(crate) fn surplus(der: &[u8]) -> Option<usize> {
    Tlv::take(der).map(|(_, rest)| rest.len()).filter(|rest| *rest > 0)
}

/// Refuses bytes that are still in an armour.
fn once(decoded: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, NotPem> {
    if is_utf_16(&decoded) {
        return Err(NotPem::Utf16);
    }
    let is_base64 = is_text(&decoded) && std::str::from_utf8(&decoded).is_ok_and(|text| base64(text).is_ok());
    if is_base64 && !decoded.is_empty() { Err(NotPem::Base64Twice) } else { Ok(decoded) }
}

/// Whether text is in UTF-16: by its byte order mark, or since every other byte of its beginning is zero.
fn is_utf_16(data: &[u8]) -> bool {
    let of_ascii = |text: usize, zeros: usize| {
        let (pairs, _) = data.get(..16).unwrap_or_default().as_chunks::<2>();
        let is_text =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        !pairs.is_empty() && pairs.iter().all(|pair| is_text(pair.get(text)) && pair.get(zeros) == Some(&0))
    };
    [[0xff, 0xfe], [0xfe, 0xff]].iter().any(|mark| data.starts_with(mark)) || of_ascii(0, 1) || of_ascii(1, 0)
}

/// Binary formats have control characters within their first bytes; PEM has none,
/// though the remarks before a block may be in any character set.
fn is_text(data: &[u8]) -> bool {
    data.iter().take(32).all(|byte| *byte >= b' ' || byte.is_ascii_whitespace())
}

/// The blocks of a PEM text; `None` where there is none.
fn pem(data: &[u8]) -> Result<Option<Vec<PemBlock>>, NotPem> {
    let text = unescaped(data);
    let mut blocks = Vec::new();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let (label, after) = after.split_once(DASHES).ok_or(NotPem::Neither)?;
        let (body, after) = after.split_once(&format!("-----END {label}-----")).ok_or(NotPem::Neither)?;
        let (headers, body): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.contains(':'));
        let encrypted = headers.iter().any(|line| line.contains("ENCRYPTED"));
        let contents = once(base64(&Zeroizing::new(body.concat()))?)?;
        blocks.push(PemBlock { label: label.to_owned(), encrypted, contents });
        rest = after;
    }
    Ok((!blocks.is_empty()).then_some(blocks))
}

/// The text with the line breaks that JSON escapes.
fn unescaped(data: &[u8]) -> Zeroizing<String> {
    let text = Zeroizing::new(String::from_utf8_lossy(data).into_owned());
    let text = Zeroizing::new(text.replace("\\r", "\r"));
    Zeroizing::new(text.replace("\\n", "\n"))
}

fn base64(text: &str) -> Result<Zeroizing<Vec<u8>>, NotPem> {
    // Allocated once, so that no half of a key stays behind.
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    let text = text.trim_end_matches(['\0', '\u{1a}']);
    letters.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let decoded = BASE64.decode(letters.as_slice()).map(Zeroizing::new).map_err(|_| NotPem::Neither)?;
    Ok(to_der(&decoded).unwrap_or(decoded))
}

impl std::fmt::Debug for PemBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemBlock({}, {} bytes)", self.label, self.contents.len())
    }
}
