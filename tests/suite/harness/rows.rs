//! What the store says when it is not the daemon who asks.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::http::block_on;

/// One key pair's row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub state: String,
    /// The `CKA_ID` in lower-case hex.
    pub locator: String,
    /// `HSM` or `LOCAL`.
    pub provider: String,
}

impl Row {
    /// Whether a key stands behind the row for good.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.state.as_str(),
            "Stocked" | "PreActive" | "Active" | "Deactivated" | "Suspended" | "Compromised" | "PendingDestruction"
        )
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
        let found = sqlx::query("SELECT state, lower(hex(locator)) AS locator, provider FROM key_pairs ORDER BY 1, 2");
        let found = found.fetch_all(&mut connection).await.expect("the rows of the store");
        found
            .iter()
            .map(|row| Row { state: row.get("state"), locator: row.get("locator"), provider: row.get("provider") })
            .collect()
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

/// Puts bytes in the place of the certificates of a ring's key pairs; answers how many there were.
pub fn plant_certificate(database: &Path, ring: &str, der: &[u8]) -> u64 {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
        let planting = sqlx::query("UPDATE key_pairs SET certificates = $1 WHERE ring = $2").bind(der).bind(ring);
        planting.execute(&mut connection).await.expect("a statement").rows_affected()
    })
}

/// Puts bytes in the place of a trusted certificate authority; answers how many there were of this id.
pub fn plant_document(database: &Path, id: &str, der: &[u8]) -> u64 {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
        let body = serde_json::json!({"certificate": STANDARD.encode(der)}).to_string();
        let planting = sqlx::query("UPDATE documents SET body = $1 WHERE id = $2").bind(body).bind(id);
        planting.execute(&mut connection).await.expect("a statement").rows_affected()
    })
}
