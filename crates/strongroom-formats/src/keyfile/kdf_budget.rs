//! How much computing a container may ask for, all its derivations together.

use std::num::NonZeroU32;

use super::{KeyFileError, broken};

/// Hashes: NSS, the costliest writer known, asks for three times 600,000.
const HASHES: u64 = 3_000_000;

/// Block mixes of scrypt: N * r * p, which also bounds its memory to 32 MiB.
const MIXES: u64 = 1 << 18;

/// Remaining budget for one container.
pub(super) struct KdfBudget {
    hashes: u64,
    mixes: u64,
}

impl KdfBudget {
    pub(super) const fn new() -> Self {
        Self { hashes: HASHES, mixes: MIXES }
    }

    /// Takes `iterations` for each of `blocks` from what is left.
    pub(super) fn iterations(&mut self, iterations: u64, blocks: usize) -> Result<NonZeroU32, KeyFileError> {
        let blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
        self.hashes = iterations
            .checked_mul(blocks)
            .and_then(|hashes| self.hashes.checked_sub(hashes))
            .ok_or_else(|| KeyFileError::Excessive(format!("more than {HASHES} iterations of key derivation")))?;
        u32::try_from(iterations).ok().and_then(NonZeroU32::new).ok_or_else(|| broken("iteration count"))
    }

    /// Takes one derivation by scrypt from what is left.
    pub(super) fn scrypt(&mut self, cost: u64, block_size: u64, parallel: u64) -> Result<scrypt::Params, KeyFileError> {
        self.mixes = cost
            .checked_mul(block_size)
            .and_then(|mixes| mixes.checked_mul(parallel))
            .and_then(|mixes| self.mixes.checked_sub(mixes))
            .ok_or_else(|| KeyFileError::Excessive(format!("scrypt with N * r * p of more than {MIXES}")))?;
        let small = |number| u32::try_from(number).map_err(|_| broken("scrypt parameters"));
        let log = cost.is_power_of_two().then(|| u8::try_from(cost.trailing_zeros()).ok()).flatten();
        let log = log.ok_or_else(|| broken("scrypt parameters"))?;
        scrypt::Params::new(log, small(block_size)?, small(parallel)?).map_err(|_| broken("scrypt parameters"))
    }
}
