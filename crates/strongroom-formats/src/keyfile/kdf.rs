//! The key derivation that PKCS#12 began with (RFC 7292 appendix B).

use aws_lc_rs::digest::{self, Algorithm, Context};
use zeroize::Zeroizing;

use super::KeyFileError;
use super::kdf_budget::KdfBudget;

/// What the derived bytes are for (RFC 7292 appendix B.3).
#[derive(Clone, Copy)]
pub(super) enum KdfPurpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// A password as key derivations take it.
#[derive(Clone, Copy)]
pub(super) enum Password<'a> {
    Text(&'a str),
    /// None at all, which is not the text without characters (RFC 7292 appendix B.1).
    Absent,
}

impl Password<'_> {
    /// In UTF-8, as PBES2 takes it.
    pub(super) const fn utf_8(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Absent => &[],
        }
    }

    /// Big-endian UTF-16, ended by a zero (RFC 7292 appendix B.1).
    fn utf_16(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Text(text) => Zeroizing::new(text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()),
            Self::Absent => Zeroizing::default(),
        }
    }
}

/// Derives `len` bytes from a password and a salt.
///
/// # Errors
/// `Excessive`, before anything is computed.
pub(super) fn derive(
    algorithm: &'static Algorithm,
    password: Password<'_>,
    salt: &[u8],
    purpose: KdfPurpose,
    iterations: u64,
    len: usize,
    work: &mut KdfBudget,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let iterations = work.iterations(iterations, len.div_ceil(algorithm.output_len()))?;
    let block = algorithm.block_len();
    let diversifier = vec![purpose as u8; block];
    // Salt and password, each repeated to whole blocks.
    let mut input = Zeroizing::new(repeated(salt, block));
    input.extend_from_slice(&Zeroizing::new(repeated(&password.utf_16(), block)));

    let mut output = Zeroizing::new(Vec::with_capacity(len + algorithm.output_len()));
    while output.len() < len {
        let mut context = Context::new(algorithm);
        context.update(&diversifier);
        context.update(&input);
        let mut hash = context.finish();
        for _ in 1..iterations.get() {
            hash = digest::digest(algorithm, hash.as_ref());
        }
        output.extend_from_slice(hash.as_ref());
        add_to_each(&mut input, hash.as_ref(), block);
    }
    output.truncate(len);
    Ok(output)
}

fn repeated(bytes: &[u8], block: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(block)).collect()
}

/// Adds the hash, repeated to a block, plus one to every block of `input`, as big-endian
/// numbers without the last carry (RFC 7292 appendix B.2, step 6C).
fn add_to_each(input: &mut [u8], hash: &[u8], block: usize) {
    let summand: Vec<u8> = hash.iter().copied().cycle().take(block).collect();
    for number in input.chunks_mut(block) {
        let mut carry = 1;
        for (digit, add) in number.iter_mut().zip(&summand).rev() {
            let sum = u16::from(*digit) + u16::from(*add) + carry;
            [_, *digit] = sum.to_be_bytes();
            carry = sum >> 8;
        }
    }
}
