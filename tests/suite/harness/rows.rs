//! What the store says when it is not the daemon who asks.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::http::block_on;
use super::lane::on_postgres;
use super::postgres;

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

/// Evaluates a body on a connection to the store of a file's directory: the file itself, or the schema of its lane.
macro_rules! on_store {
    ($database:expr, |$conn:ident| $body:expr) => {
        block_on(async {
            if on_postgres() {
                let mut $conn = postgres::connect($database.parent().expect("a directory")).await;
                $body
            } else {
                let options = SqliteConnectOptions::new().filename($database);
                let mut $conn = SqliteConnection::connect_with(&options).await.expect("the daemon's store");
                $body
            }
        })
    };
}

/// Every row of the key pairs' table, sorted; none while there is no store yet.
pub fn rows(database: &Path) -> Vec<Row> {
    if !on_postgres() && !database.exists() || on_postgres() && !has_tables(database) {
        return Vec::new();
    }
    let locator = if on_postgres() { "encode(locator, 'hex')" } else { "lower(hex(locator))" };
    let sql = format!("SELECT state, {locator} AS locator, provider FROM key_pairs ORDER BY 1, 2");
    on_store!(database, |connection| {
        let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("the rows of the store");
        found
            .iter()
            .map(|row| Row { state: row.get("state"), locator: row.get("locator"), provider: row.get("provider") })
            .collect()
    })
}

/// One value for each row that a statement finds, as text.
pub fn values(database: &Path, sql: &'static str) -> Vec<String> {
    let sql = if on_postgres() { sql.replace("hex(", "pg_temp.hex(") } else { sql.to_owned() };
    on_store!(database, |connection| {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("text values")
    })
}

/// Changes rows behind the daemon's back, as somebody with the store may.
pub fn tamper(database: &Path, sql: &'static str) {
    on_store!(database, |connection| {
        sqlx::query(sql).execute(&mut connection).await.expect("a statement");
    });
}

/// Puts bytes in the place of the certificates of a ring's key pairs; answers how many there were.
pub fn plant_certificate(database: &Path, ring: &str, der: &[u8]) -> u64 {
    on_store!(database, |connection| {
        let planting = sqlx::query("UPDATE key_pairs SET certificates = $1 WHERE ring = $2").bind(der).bind(ring);
        planting.execute(&mut connection).await.expect("a statement").rows_affected()
    })
}

/// Puts bytes in the place of a trusted certificate authority; answers how many there were of this id.
pub fn plant_document(database: &Path, id: &str, der: &[u8]) -> u64 {
    let body = serde_json::json!({"certificate": STANDARD.encode(der)}).to_string();
    on_store!(database, |connection| {
        let planting = sqlx::query("UPDATE documents SET body = $1 WHERE id = $2").bind(body).bind(id);
        planting.execute(&mut connection).await.expect("a statement").rows_affected()
    })
}

/// Whether a daemon has made its tables in PostgreSQL.
fn has_tables(database: &Path) -> bool {
    block_on(async {
        let mut connection = postgres::connect(database.parent().expect("a directory")).await;
        let sql = "SELECT to_regclass('key_pairs') IS NOT NULL";
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("a boolean")
    })
}
