//! RSA with a public key, for signatures in certificates of others: sizes, hashes and salts that aws-lc does not verify.
//!
//! Nothing here is secret, so that nothing has to take the same time. Source: RFC 8017.

use aws_lc_rs::digest::{self, Algorithm};
use num_bigint::BigUint;

/// Bits of the moduli that are computed with: smaller ones are factored, larger ones would cost time on behalf of strangers.
const SIZES: std::ops::RangeInclusive<u64> = 1024..=8192;

/// Bits of the longest exponent.
const LONGEST_EXPONENT: u64 = 33;

/// A public key that costs little to compute with.
pub(super) struct RsaPublicKey {
    modulus: BigUint,
    exponent: BigUint,
}

impl RsaPublicKey {
    /// The key of big-endian numbers; what it is where it is not computed with.
    pub(super) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, String> {
        let (modulus, exponent) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        if !SIZES.contains(&modulus.bits()) {
            return Err(format!("a key of {} bits", modulus.bits()));
        }
        if exponent.bits() > LONGEST_EXPONENT {
            return Err(format!("an exponent of {} bits", exponent.bits()));
        }
        Ok(Self { modulus, exponent })
    }

    /// Whether a signature is one by RSASSA-PKCS1-v1_5 (section 8.2.2).
    pub(super) fn verifies_pkcs1(&self, hash: &'static Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some(prefix) = digest_info(hash) else { return false };
        let info = [prefix, digest::digest(hash, message).as_ref()].concat();
        let Some(padding) = self.width().checked_sub(info.len() + 3).filter(|padding| *padding >= 8) else {
            return false;
        };
        let expected = [&[0, 1], vec![0xff; padding].as_slice(), &[0], &info].concat();
        self.message(signature).is_some_and(|encoded| encoded == expected)
    }

    /// Whether a signature is one by RSASSA-PSS (sections 8.1.2 and 9.1.2).
    pub(super) fn verifies_pss(
        &self,
        hash: &'static Algorithm,
        mask_hash: &'static Algorithm,
        salt_length: usize,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let Some(encoded) = self.message(signature) else { return false };
        let bits = self.modulus.bits() - 1;
        let width = usize::try_from(bits.div_ceil(8)).unwrap_or(0);
        // Where the bits of the message fill whole bytes, it is a byte shorter than the modulus.
        let Some((above, encoded)) = encoded.len().checked_sub(width).and_then(|at| encoded.split_at_checked(at))
        else {
            return false;
        };
        let Some((0xbc, encoded)) = encoded.split_last().map(|(last, rest)| (*last, rest)) else { return false };
        let parts = encoded.len().checked_sub(hash.output_len()).and_then(|at| encoded.split_at_checked(at));
        let Some((masked, digest)) = parts else { return false };
        let unused = u32::try_from(8 * u64::try_from(width).unwrap_or(0) - bits).unwrap_or(0);
        let mask_of_first = 0xff_u8.checked_shr(unused).unwrap_or(0);
        if above.iter().any(|byte| *byte != 0) || masked.first().is_some_and(|first| first & !mask_of_first != 0) {
            return false;
        }
        let mut block: Vec<u8> = masked.iter().zip(mask(mask_hash, digest, masked.len())).map(|(a, b)| a ^ b).collect();
        if let Some(first) = block.first_mut() {
            *first &= mask_of_first;
        }
        let Some((padding, salt)) = block.len().checked_sub(salt_length).and_then(|at| block.split_at_checked(at))
        else {
            return false;
        };
        let Some((1, zeros)) = padding.split_last().map(|(last, rest)| (*last, rest)) else { return false };
        let hashed = digest::digest(hash, message);
        let again = digest::digest(hash, &[&[0; 8], hashed.as_ref(), salt].concat());
        zeros.iter().all(|byte| *byte == 0) && again.as_ref() == digest
    }

    /// The bytes that were signed (RSAVP1, section 5.2.2), as wide as the modulus.
    fn message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let number = BigUint::from_bytes_be(signature);
        if signature.len() != self.width() || number >= self.modulus {
            return None;
        }
        let bytes = number.modpow(&self.exponent, &self.modulus).to_bytes_be();
        let mut message = vec![0; self.width().checked_sub(bytes.len())?];
        message.extend_from_slice(&bytes);
        Some(message)
    }

    fn width(&self) -> usize {
        usize::try_from(self.modulus.bits().div_ceil(8)).unwrap_or(0)
    }
}

/// MGF1 (appendix B.2.1).
fn mask(hash: &'static Algorithm, seed: &[u8], len: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(len + hash.output_len());
    for counter in 0_u32.. {
        if mask.len() >= len {
            break;
        }
        mask.extend_from_slice(digest::digest(hash, &[seed, &counter.to_be_bytes()].concat()).as_ref());
    }
    mask.truncate(len);
    mask
}

/// `DigestInfo` up to the digest (section 9.2, note 1).
fn digest_info(hash: &'static Algorithm) -> Option<&'static [u8]> {
    const SHA_1: &[u8] = &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
    const fn sha_2(number: u8, len: u8) -> [u8; 19] {
        [
            0x30,
            len + 17,
            0x30,
            0x0d,
            0x06,
            0x09,
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            number,
            0x05,
            0x00,
            0x04,
            len,
        ]
    }
    const SHA_224: &[u8] = &sha_2(4, 28);
    const SHA_256: &[u8] = &sha_2(1, 32);
    const SHA_384: &[u8] = &sha_2(2, 48);
    const SHA_512: &[u8] = &sha_2(3, 64);
    match hash.output_len() {
        20 => Some(SHA_1),
        28 => Some(SHA_224),
        32 => Some(SHA_256),
        48 => Some(SHA_384),
        64 => Some(SHA_512),
        _ => None,
    }
}
