//! Bytes as people paste them: DER, PEM, base64 of either, with line breaks as they
//! come, left out, or escaped as in JSON; and DER where it was BER.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::to_der;

const BEGIN: &str = "-----BEGIN ";
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

/// Text that is neither PEM nor base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct NotPem;

/// Takes the armour off.
///
/// # Errors
/// When text is neither PEM nor base64, or a block has no end.
pub fn read_pem_or_der(data: &[u8]) -> Result<PemInput, NotPem> {
    if !is_text(data) {
        return Ok(PemInput::Bare(to_der(data).unwrap_or_else(|| Zeroizing::new(data.to_vec()))));
    }
    if let Some(blocks) = pem(data)? {
        return Ok(PemInput::Pem(blocks));
    }
    let decoded = base64(&unescaped(data))?;
    let blocks = if is_text(&decoded) { pem(&decoded)? } else { None };
    Ok(blocks.map_or(PemInput::Bare(decoded), PemInput::Pem))
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
        let (label, after) = after.split_once(DASHES).ok_or(NotPem)?;
        let (body, after) = after.split_once(&format!("-----END {label}-----")).ok_or(NotPem)?;
        let (headers, body): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.contains(':'));
        let encrypted = headers.iter().any(|line| line.contains("ENCRYPTED"));
        let contents = base64(&Zeroizing::new(body.concat()))?;
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
    letters.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let decoded = BASE64.decode(letters.as_slice()).map(Zeroizing::new).map_err(|_| NotPem)?;
    Ok(to_der(&decoded).unwrap_or(decoded))
}

impl std::fmt::Debug for PemBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemBlock({}, {} bytes)", self.label, self.contents.len())
    }
}
