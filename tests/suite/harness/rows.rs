//! What the store says when it is not the daemon who asks.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::http::block_on;

/// One key pair's row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub state: String,
    /// The `CKA_ID` in lower-case hex.
    pub locator: String,
}

impl Row {
    /// Whether a key stands behind the row for good.
    pub fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "Stocked" | "PreActive" | "Active" | "Deactivated")
    }

    /// Whether reconcile still has to do with it.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state.as_str(), "Reserved" | "Abandoning" | "Destroying")
    }
}

/// Every row of the key pairs' table, sorted; none while there is no store yet.
pub fn rows(database: &Path) -> Vec<Row> {
    if !database.exists() {
        return Vec::new();
    }
    block_on(async {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
        let found = sqlx::query("SELECT state, lower(hex(locator)) AS locator FROM key_pairs ORDER BY 1, 2");
        let found = found.fetch_all(&mut connection).await.expect("the rows of the store");
        found.iter().map(|row| Row { state: row.get("state"), locator: row.get("locator") }).collect()
    })
}

/// One value for each row that a statement finds, as text.
pub fn values(database: &Path, sql: &'static str) -> Vec<String> {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.expect("text values")
    })
}

/// Changes rows behind the daemon's back, as somebody with the file may.
pub fn tamper(database: &Path, sql: &'static str) {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
        sqlx::query(sql).execute(&mut connection).await.expect("a statement");
    });
}
