//! The schema, step by step.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqlStr};

use super::StoreError;
use super::sqlite::Connection;

/// The version of the schema that this program writes.
const LATEST: i64 = 4;

/// Brings the schema up to date, inside the caller's transaction.
pub(super) async fn run(conn: &mut Connection) -> Result<(), StoreError> {
    Migrator::with_migrations(known()).run(conn).await.map_err(|failure| match failure {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause.into(),
        MigrateError::VersionMissing(version) => StoreError::Inconsistent(format!(
            "a schema of version {version}, made by a newer strongroom; this one knows versions up to {LATEST}"
        )),
        other => StoreError::Inconsistent(other.to_string()),
    })
}

fn known() -> Vec<Migration> {
    let step = |version, name: &'static str, sql: SqlStr| {
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    vec![
        step(1, "foundation", include_str!("migrations/sqlite/0001_foundation.sql").into_sql_str()),
        step(2, "local and documents", include_str!("migrations/sqlite/0002_local_and_documents.sql").into_sql_str()),
        step(3, "rings", include_str!("migrations/sqlite/0003_rings.sql").into_sql_str()),
        step(LATEST, "stock", include_str!("migrations/sqlite/0004_stock.sql").into_sql_str()),
    ]
}
