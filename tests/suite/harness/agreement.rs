//! Token and store side by side.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::rows::{Row, rows};
use super::token::{Object, Token};
use super::wait::eventually;

/// What both hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Agreement {
    pub objects: Vec<Object>,
    pub rows: Vec<Row>,
}

impl Agreement {
    /// The `CKA_ID`s of the token's key pairs that are settled in the store and whole in the token.
    pub fn keys(&self) -> BTreeSet<String> {
        self.rows
            .iter()
            .filter(|row| row.is_settled() && row.provider == "HSM")
            .map(|row| row.locator.clone())
            .collect()
    }

    /// Half-made objects: SoftHSM leaves them, without name or id, when it is killed while
    /// it generates. They are nobody's, so token and store may agree in spite of them.
    pub fn half_made(&self) -> Vec<&Object> {
        self.objects.iter().filter(|object| object.id.is_empty() || object.label.is_empty()).collect()
    }

    /// Why they do not agree, `None` when they do: every settled row has its private and
    /// its public object, no object of ours stands alone, nothing is unfinished.
    pub fn quarrel(&self) -> Option<String> {
        let settled = self.keys();
        let ids = |private: bool| -> BTreeSet<String> {
            let ours = self.objects.iter().filter(|o| o.private == private && o.label.starts_with("sr:"));
            ours.map(|object| object.id.clone()).collect()
        };
        let unfinished: Vec<&Row> = self.rows.iter().filter(|row| row.is_unfinished()).collect();
        let twice = self.objects.iter().filter(|o| o.label.starts_with("sr:")).count() != 2 * settled.len();
        let fine = unfinished.is_empty() && !twice && ids(true) == settled && ids(false) == settled;
        (!fine).then(|| format!("token and store do not agree: {self:#?}"))
    }
}

/// Token and store as they are now.
pub fn agreement(token: &Token, database: &Path) -> Agreement {
    Agreement { objects: token.objects(), rows: rows(database) }
}

/// Token and store once they agree; the test fails when they do not within `limit`.
pub fn agreement_within(limit: Duration, token: &Token, database: &Path) -> Agreement {
    let mut last = None;
    eventually("agreement of token and store", limit, || {
        let now = agreement(token, database);
        let quarrel = now.quarrel();
        if quarrel.is_some() && quarrel != last {
            eprintln!("{}", quarrel.as_deref().unwrap_or_default());
        }
        last = quarrel;
        last.is_none().then_some(now)
    })
}
