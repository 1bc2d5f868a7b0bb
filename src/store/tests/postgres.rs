//! PostgreSQL: the contract, and what only a database underneath can show.

use std::sync::Arc;

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, PgConnection};

use super::cluster::cluster;
use super::*;
use crate::config::{Pooler, PostgresConfig, StoreConfig};
use crate::store::{ReadOnlyOpen, Store, migrations};

async fn connect(config: &PostgresConfig) -> Result<Arc<Store>, StoreError> {
    Store::open_configured(&StoreConfig::Postgres(Box::new(config.clone()))).await
}

pub(super) async fn open() -> (Arc<Store>, PostgresConfig) {
    let config = cluster().schema().await;
    (connect(&config).await.unwrap(), config)
}

/// A store as behind a pooler: each statement is parsed anew.
async fn open_unprepared() -> (Arc<Store>, PostgresConfig) {
    let config = PostgresConfig { pooler: Pooler::Transaction, ..cluster().schema().await };
    (connect(&config).await.unwrap(), config)
}

/// A connection beside a store, with its tables.
async fn beside(config: &PostgresConfig) -> PgConnection {
    let mut conn = cluster().connect("strongroom").await;
    let schema = config.schema.as_deref().unwrap();
    sqlx::query(AssertSqlSafe(format!("SET search_path TO {schema}"))).execute(&mut conn).await.unwrap();
    conn
}

mod keeps_the_contract {
    crate::store::tests::contract::every_case!(super::open);
}

mod keeps_the_contract_behind_a_pooler {
    crate::store::tests::contract::every_case!(super::open_unprepared);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_store_while_it_is_born() {
    for _ in 0..5 {
        let config = cluster().schema().await;
        let stores = join_all((0..4).map(|_| connect(&config))).await;
        let ids: std::collections::HashSet<_> = stores.into_iter().map(|store| store.unwrap().id()).collect();
        assert_eq!(ids.len(), 1);
    }
}

#[tokio::test]
async fn store_that_is_opened_again_is_the_same() {
    let (store, config) = open().await;
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    let before = (store.id(), store.fingerprint(b"body"), store.epoch().await.unwrap());
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    let store = connect(&config).await.unwrap();
    assert_eq!((store.id(), store.fingerprint(b"body"), store.epoch().await.unwrap()), before);
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(pair));
}

#[tokio::test]
async fn trail_and_tombstones_cannot_be_rewritten() {
    let (store, config) = open().await;
    active(&store, &ring("signing:a"), at(0)).await;
    store.record(&[event(Action::Orphaned, None)]).await.unwrap();
    let mut conn = beside(&config).await;
    for sql in [
        "UPDATE audit_events SET detail = 'nothing happened'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM key_pairs",
        "TRUNCATE key_pairs CASCADE",
        "UPDATE key_pairs SET state = 'Retired'",
        "UPDATE key_pairs SET ring = NULL",
        "UPDATE store_meta SET oldest_master = -1",
    ] {
        assert!(sqlx::query(sql).execute(&mut conn).await.is_err(), "{sql}");
    }
    assert_eq!(trail(&store).await, [event(Action::Orphaned, None)]);
}

#[tokio::test]
async fn look_at_a_store_makes_and_changes_nothing() {
    let config = cluster().schema().await;
    let place = StoreConfig::Postgres(Box::new(config.clone()));
    let look = async || Store::open_read_only(&place).await;
    assert!(matches!(look().await, Ok(ReadOnlyOpen::Absent)));
    let mut conn = beside(&config).await;
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";
    assert_eq!(sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut conn).await.unwrap(), 0);

    let store = connect(&config).await.unwrap();
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    let Ok(ReadOnlyOpen::Current(looked)) = look().await else { panic!("a store") };
    assert_eq!((looked.id(), looked.pair(pair.id).await.unwrap()), (store.id(), Some(pair.clone())));
    assert!(matches!(looked.ping().await, Err(StoreError::Unavailable(_))));
    assert!(looked.transition(move_of(&pair, KeyState::Destroying, at(1)), &[]).await.is_err());

    let earlier = "DELETE FROM strongroom_migrations WHERE version < (SELECT MAX(version) FROM strongroom_migrations)";
    sqlx::query(earlier).execute(&mut conn).await.unwrap();
    sqlx::query("UPDATE strongroom_migrations SET version = 4").execute(&mut conn).await.unwrap();
    assert!(matches!(look().await, Ok(ReadOnlyOpen::Outdated { version: 4, .. })));
    sqlx::query("UPDATE strongroom_migrations SET version = 99").execute(&mut conn).await.unwrap();
    for refused in [look().await.err(), connect(&config).await.err()] {
        let Some(StoreError::Inconsistent(why)) = refused else { panic!("opened") };
        assert!(why.contains("version 99") && why.contains("newer"), "{why}");
    }
}

#[tokio::test]
async fn both_databases_have_the_same_versions() {
    let latest = |steps: Vec<sqlx::migrate::Migration>| steps.last().map(|step| step.version);
    assert_eq!(latest(migrations::of_postgres()), Some(migrations::LATEST));
    assert_eq!(latest(migrations::of_sqlite()), Some(migrations::LATEST));
}
