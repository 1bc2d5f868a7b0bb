//! Transactions of PINs: what was tried is known to every daemon, and one at a time tries what has not worked yet.

use crate::store::pins::{self, PinRow};
use crate::store::pools::{on_database, reading, writing};
use crate::store::seam::Connection;
use crate::store::{KnownPin, LeaseOwner, PinTrial, PinTrialEnd, PinTrialOutcome, Store, StoreError};
use strongroom_domain::clock::Timestamp;

/// Attempts of one PIN that may have been refused: the first one, and one after a refusal of a PIN that had worked, or
/// after an attempt that was cut short.
const MOST_ATTEMPTS: i64 = 2;

impl Store {
    /// Every PIN that was tried.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known_pins(&self) -> Result<Vec<KnownPin>, StoreError> {
        let rows: Result<Vec<PinRow>, StoreError> = reading!(self, "known_pins", |conn| pins::all(conn));
        Ok(rows?.into_iter().map(|row| row.pin).collect())
    }

    /// Begins a trial of a PIN, which is then on record; one that works needs no lease.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn begin_pin_trial(&self, trial: &PinTrial) -> Result<PinTrialOutcome, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("begin_pin_trial").await?;
            let outcome = begin(transaction.conn(), trial).await?;
            if outcome == PinTrialOutcome::Granted {
                transaction.commit(&[]).await?;
            }
            Ok(outcome)
        })
    }

    /// Records how a trial ended, and gives its lease back.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_pin_trial(
        &self,
        pin: (&str, &str),
        owner: &LeaseOwner,
        end: PinTrialEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        writing!(self, "end_pin_trial", &[], |conn| self::end(conn, pin, owner, end, now))
    }

    /// Remembers a PIN that was refused elsewhere, unless it is known.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remember_refused_pin(&self, pin: KnownPin, now: Timestamp) -> Result<(), StoreError> {
        writing!(self, "remember_refused_pin", &[], |conn| remember(conn, pin, now))
    }

    /// Forgets every PIN that did not work, so that each is tried again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget_refused_pins(&self) -> Result<(), StoreError> {
        writing!(self, "forget_refused_pins", &[], |conn| pins::forget_refused(conn))
    }
}

/// Begins a trial; any outcome but [`PinTrialOutcome::Granted`] has changed nothing that is to be kept.
async fn begin(conn: &mut impl Connection, trial: &PinTrial) -> Result<PinTrialOutcome, StoreError> {
    let known = find(conn, &trial.token, &trial.hash).await?;
    if let Some(row) = known.filter(|row| row.pin.worked) {
        // It shows that a refusal could be written.
        pins::put(conn, &row, trial.now).await?;
        return Ok(PinTrialOutcome::Granted);
    }
    // Whoever comes at the same time waits here, and reads what was written meanwhile.
    if !pins::lease(conn, trial).await? {
        return Ok(PinTrialOutcome::Busy);
    }
    let rows = pins::of_token(conn, &trial.token).await?;
    let seen = |row: &PinRow| row.pin.hash == trial.hash || trial.compared.contains(&row.pin.hash);
    if !rows.iter().all(seen) {
        return Ok(PinTrialOutcome::Unseen);
    }
    let row = rows.into_iter().find(|row| row.pin.hash == trial.hash);
    let row = row.unwrap_or_else(|| unknown(&trial.token, &trial.hash));
    let refused = row.refusals > 0 && !trial.again;
    if refused || row.refusals + row.open_attempts >= MOST_ATTEMPTS {
        return Ok(PinTrialOutcome::Refused);
    }
    pins::put(conn, &PinRow { open_attempts: row.open_attempts + 1, ..row }, trial.now).await?;
    Ok(PinTrialOutcome::Granted)
}

async fn end(
    conn: &mut impl Connection,
    (token, hash): (&str, &str),
    owner: &LeaseOwner,
    end: PinTrialEnd,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = find(conn, token, hash).await?.unwrap_or_else(|| unknown(token, hash));
    let open_attempts = (row.open_attempts - 1).max(0);
    match end {
        PinTrialEnd::Worked => {
            pins::outdate(conn, token, hash).await?;
            let pin = KnownPin { worked: true, ..row.pin };
            pins::put(conn, &PinRow { pin, refusals: 0, open_attempts: 0 }, now).await?;
        }
        PinTrialEnd::Refused => {
            let pin = KnownPin { worked: false, ..row.pin };
            pins::put(conn, &PinRow { pin, refusals: row.refusals + 1, open_attempts }, now).await?;
            pins::trim(conn, token).await?;
        }
        PinTrialEnd::NotTried if row.refusals == 0 && open_attempts == 0 && !row.pin.worked => {
            pins::delete(conn, token, hash).await?;
        }
        PinTrialEnd::NotTried => pins::put(conn, &PinRow { open_attempts, ..row }, now).await?,
    }
    pins::release(conn, token, &owner.life).await
}

async fn remember(conn: &mut impl Connection, pin: KnownPin, now: Timestamp) -> Result<(), StoreError> {
    if find(conn, &pin.token, &pin.hash).await?.is_none() {
        pins::put(conn, &PinRow { pin, refusals: 1, open_attempts: 0 }, now).await?;
    }
    Ok(())
}

async fn find(conn: &mut impl Connection, token: &str, hash: &str) -> Result<Option<PinRow>, StoreError> {
    Ok(pins::of_token(conn, token).await?.into_iter().find(|row| row.pin.hash == hash))
}

/// The row of a PIN that nobody has tried.
fn unknown(token: &str, hash: &str) -> PinRow {
    let pin = KnownPin { token: token.to_owned(), hash: hash.to_owned(), worked: false };
    PinRow { pin, refusals: 0, open_attempts: 0 }
}
