//! The schema, step by step: as many steps for each database as its own history has, and one count of versions.

use sqlx::migrate::{Migration, MigrationType};
use sqlx::{SqlSafeStr, SqlStr};

use super::StoreError;

/// The version of the schema that this program writes.
pub(super) const LATEST: i64 = 7;

/// The version of a schema that is there, and the one that this program writes.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a newer program has written it.
pub(super) fn known(version: i64) -> Result<i64, StoreError> {
    if version > LATEST { Err(too_new(version)) } else { Ok(LATEST) }
}

/// The refusal of a schema that this program does not know.
pub(super) fn too_new(version: i64) -> StoreError {
    StoreError::Inconsistent(format!(
        "a schema of version {version}, made by a newer strongroom; this one knows versions up to {LATEST}"
    ))
}

/// The steps of SQLite.
pub(super) fn of_sqlite() -> Vec<Migration> {
    vec![
        step(1, "foundation", include_str!("migrations/sqlite/0001_foundation.sql").into_sql_str()),
        step(2, "local and documents", include_str!("migrations/sqlite/0002_local_and_documents.sql").into_sql_str()),
        step(3, "rings", include_str!("migrations/sqlite/0003_rings.sql").into_sql_str()),
        step(4, "stock", include_str!("migrations/sqlite/0004_stock.sql").into_sql_str()),
        step(5, "retired masters", include_str!("migrations/sqlite/0005_retired_masters.sql").into_sql_str()),
        step(6, "key states", include_str!("migrations/sqlite/0006_key_states.sql").into_sql_str()),
        step(7, "rules across daemons", include_str!("migrations/sqlite/0007_rules_across_daemons.sql").into_sql_str()),
    ]
}

/// The steps of PostgreSQL, whose first one is the schema of version 6.
pub(super) fn of_postgres() -> Vec<Migration> {
    vec![
        step(6, "foundation", include_str!("migrations/postgres/0006_foundation.sql").into_sql_str()),
        step(
            7,
            "rules across daemons",
            include_str!("migrations/postgres/0007_rules_across_daemons.sql").into_sql_str(),
        ),
    ]
}

fn step(version: i64, name: &'static str, sql: SqlStr) -> Migration {
    Migration::new(version, name.into(), MigrationType::Simple, sql, false)
}
