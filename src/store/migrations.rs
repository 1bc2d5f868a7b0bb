//! The schema, step by step.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlStr};

use super::StoreError;
use super::sqlite;
use sqlx::SqliteConnection;

/// The version of the schema that this program writes.
const LATEST: i64 = 7;

/// Brings the schema up to date, inside the caller's transaction.
pub(super) async fn run(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    Migrator::with_migrations(known()).run(conn).await.map_err(|failure| match failure {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause.into(),
        MigrateError::VersionMissing(version) => too_new(version),
        other => StoreError::Inconsistent(other.to_string()),
    })
}

/// The version of a schema that is there, 0 before the first; and the one that this program writes.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a newer program has written it.
pub(super) async fn version(conn: &mut SqliteConnection) -> Result<(i64, i64), StoreError> {
    if !sqlite::has_table(conn, "_sqlx_migrations").await? {
        return Ok((0, LATEST));
    }
    let applied = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(conn);
    let version = applied.await?;
    if version > LATEST { Err(too_new(version)) } else { Ok((version, LATEST)) }
}

fn too_new(version: i64) -> StoreError {
    StoreError::Inconsistent(format!(
        "a schema of version {version}, made by a newer strongroom; this one knows versions up to {LATEST}"
    ))
}

fn known() -> Vec<Migration> {
    let step = |version, name: &'static str, sql: SqlStr| {
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    vec![
        step(1, "foundation", include_str!("migrations/sqlite/0001_foundation.sql").into_sql_str()),
        step(2, "local and documents", include_str!("migrations/sqlite/0002_local_and_documents.sql").into_sql_str()),
        step(3, "rings", include_str!("migrations/sqlite/0003_rings.sql").into_sql_str()),
        step(4, "stock", include_str!("migrations/sqlite/0004_stock.sql").into_sql_str()),
        step(5, "retired masters", include_str!("migrations/sqlite/0005_retired_masters.sql").into_sql_str()),
        step(
            LATEST,
            "rules across daemons",
            include_str!("migrations/sqlite/0007_rules_across_daemons.sql").into_sql_str(),
        ),
    ]
}
