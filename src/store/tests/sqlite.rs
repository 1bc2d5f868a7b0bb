//! SQLite: the contract, and what only a database underneath can show.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use sqlx::{Connection as _, Sqlite, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::config::StoreConfig;
use crate::store::pools::DatabasePools;
use crate::store::session::{Session, commit_failure};
use crate::store::{ReadOnlyOpen, Store, key_pairs, migrations};
use strongroom_domain::key::StoreId;

const FILE: &str = "store.db";

pub(super) async fn open() -> (Arc<Store>, TempDir) {
    let place = tempfile::tempdir().unwrap();
    (Store::open(&place.path().join(FILE)).await.unwrap(), place)
}

async fn beside(place: &TempDir) -> SqliteConnection {
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join(FILE)).busy_timeout(Duration::ZERO);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn begin(store: &Store) -> Session<Sqlite> {
    let DatabasePools::Sqlite(pools) = &store.pools else { panic!("a store in SQLite") };
    pools.begin("test").await.unwrap()
}

async fn look(file: &Path) -> Result<ReadOnlyOpen, StoreError> {
    Store::open_read_only(&StoreConfig::Sqlite(file.to_owned())).await
}

mod keeps_the_contract {
    crate::store::tests::contract::every_case!(super::open);
}

/// Reserves a successor in a ring that has a key, as rotation will.
async fn successor(store: &Store, name: &RingId, generation: i64) -> Result<KeyPair, StoreError> {
    let mut change = begin(store).await;
    let pair = key_pairs::insert(change.conn(), &new(Some(name), at(generation)), generation).await?;
    change.commit(&[]).await.unwrap();
    Ok(pair)
}

#[tokio::test]
async fn ring_never_has_two_active_keys() {
    let (store, _place) = open().await;
    let name = ring("web-keys");
    let first = active(&store, &name, at(0)).await;
    let second = successor(&store, &name, 2).await.unwrap();
    assert!(is_conflict(&store.commit(commit_of(&second, KeyState::Active, at(2)), &[]).await));
    let second = store.commit(commit_of(&second, KeyState::PreActive, at(2)), &[]).await.unwrap();
    assert!(is_conflict(&store.transition(move_of(&second, KeyState::Active, at(3)), &[]).await));
    let first = moved(&store, &first, KeyState::Deactivated, at(4)).await;

    let back = Transition { reactivate: true, ..move_of(&first, KeyState::Active, at(5)) };
    let outcomes =
        join_all([back, move_of(&second, KeyState::Active, at(5))].map(|to| store.transition(to, &[]))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count(), 1);
}

#[tokio::test]
async fn ring_never_has_two_keys_of_one_generation() {
    let (store, _place) = open().await;
    let name = ring("web-keys");
    active(&store, &name, at(0)).await;
    assert!(is_conflict(&successor(&store, &name, 1).await));
}

#[tokio::test]
async fn ring_lists_active_first_then_by_generation() {
    let (store, _place) = open().await;
    let name = ring("web-keys");
    let states =
        [KeyState::Deactivated, KeyState::Deactivated, KeyState::Active, KeyState::PreActive, KeyState::PreActive];
    for (generation, state) in (1..).zip(states) {
        let pair = successor(&store, &name, generation).await.unwrap();
        let first = if state == KeyState::PreActive { KeyState::PreActive } else { KeyState::Active };
        let pair = store.commit(commit_of(&pair, first, at(9)), &[]).await.unwrap();
        if state == KeyState::Deactivated {
            moved(&store, &pair, state, at(9)).await;
        }
    }
    let generations: Vec<i64> = store.ring(&name).await.unwrap().iter().map(|pair| pair.generation).collect();
    assert_eq!(generations, [3, 4, 5, 1, 2]);
}

#[tokio::test]
async fn change_that_is_dropped_leaves_nothing() {
    let (store, place) = open().await;
    let wish = new(Some(&ring("signing:a")), at(0));
    let mut change = begin(&store).await;
    key_pairs::insert(change.conn(), &wish, 1).await.unwrap();
    drop(change);
    assert_eq!(store.pair(wish.id).await.unwrap(), None);
    reserved(&store, wish.clone()).await;

    // A copy of the files while a change is open is what a crash leaves behind.
    let lost = new(Some(&ring("signing:b")), at(0));
    let mut change = begin(&store).await;
    key_pairs::insert(change.conn(), &lost, 1).await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    for file in [FILE, "store.db-wal"] {
        std::fs::copy(place.path().join(file), copy.path().join(file)).unwrap();
    }
    let recovered = Store::open(&copy.path().join(FILE)).await.unwrap();
    assert!(recovered.pair(wish.id).await.unwrap().is_some());
    assert_eq!(recovered.pair(lost.id).await.unwrap(), None);
}

#[tokio::test]
async fn store_that_is_opened_again_is_the_same() {
    let (store, place) = open().await;
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    store.record(&[event(Action::Orphaned, None)]).await.unwrap();
    let before = (store.id(), store.fingerprint(b"body"), store.epoch().await.unwrap());
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));

    let store = Store::open(&place.path().join(FILE)).await.unwrap();
    assert_eq!((store.id(), store.fingerprint(b"body"), store.epoch().await.unwrap()), before);
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(pair));
    assert_eq!(trail(&store).await, [event(Action::Orphaned, None)]);
    let (other, _place) = open().await;
    assert_ne!(store.id(), other.id());
    assert_ne!(store.fingerprint(b"body"), other.fingerprint(b"body"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_store_while_it_is_born() {
    for _ in 0..10 {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join(FILE);
        let stores = join_all((0..4).map(|_| Store::open(&file))).await;
        let ids: HashSet<StoreId> = stores.into_iter().map(|store| store.unwrap().id()).collect();
        assert_eq!(ids.len(), 1);
    }
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let (store, place) = open().await;
    store.ping().await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(place.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log and its index");
}

#[tokio::test]
async fn committed_changes_are_written_through() {
    let (store, place) = open().await;
    let mut change = begin(&store).await;
    let setting = |name| sqlx::query_scalar::<_, i64>(name);
    assert_eq!(setting("PRAGMA synchronous").fetch_one(&mut *change.conn).await.unwrap(), 2, "FULL");
    assert_eq!(setting("PRAGMA foreign_keys").fetch_one(&mut *change.conn).await.unwrap(), 1);
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut beside(&place).await).await.unwrap();
    assert_eq!(journal, "wal");
}

#[tokio::test]
async fn trail_and_tombstones_cannot_be_rewritten() {
    let (store, place) = open().await;
    active(&store, &ring("signing:a"), at(0)).await;
    store.record(&[event(Action::Orphaned, None)]).await.unwrap();
    let mut conn = beside(&place).await;
    for sql in [
        "UPDATE audit_events SET detail = 'nothing happened'",
        "DELETE FROM audit_events",
        "DELETE FROM key_pairs",
        "UPDATE key_pairs SET state = 'Retired'",
        "UPDATE key_pairs SET ring = NULL",
    ] {
        assert!(sqlx::query(sql).execute(&mut conn).await.is_err(), "{sql}");
    }
    assert_eq!(trail(&store).await, [event(Action::Orphaned, None)]);
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let (store, place) = open().await;
    store.close().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', 1, X'00', 0)")
        .execute(&mut beside(&place).await)
        .await
        .unwrap();
    match Store::open(&place.path().join(FILE)).await {
        Err(StoreError::Inconsistent(why)) => assert!(why.contains("version 99") && why.contains("newer"), "{why}"),
        other => panic!("opened: {}", other.is_ok()),
    }
    assert!(matches!(look(&place.path().join(FILE)).await, Err(StoreError::Inconsistent(_))));
}

#[tokio::test]
async fn look_at_a_store_makes_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(FILE);
    assert!(matches!(look(&file).await, Ok(ReadOnlyOpen::Absent)));
    assert!(!file.exists());

    let store = Store::open(&file).await.unwrap();
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    let id = store.id();
    let Ok(ReadOnlyOpen::Current(looked)) = look(&file).await else { panic!("a store") };
    assert_eq!((looked.id(), looked.pair(pair.id).await.unwrap()), (id, Some(pair.clone())));
    assert!(matches!(looked.ping().await, Err(StoreError::Unavailable(_))));
    assert!(looked.transition(move_of(&pair, KeyState::Destroying, at(1)), &[]).await.is_err());
    looked.close().await;
    store.close().await;

    let mut beside = beside(&place).await;
    let latest: i64 =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations").fetch_one(&mut beside).await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version > 1").execute(&mut beside).await.unwrap();
    assert!(matches!(look(&file).await, Ok(ReadOnlyOpen::Outdated { version: 1, latest: l }) if l == latest));
    sqlx::query("DROP TABLE _sqlx_migrations").execute(&mut beside).await.unwrap();
    assert!(matches!(look(&file).await, Ok(ReadOnlyOpen::Outdated { version: 0, .. })));
}

#[tokio::test]
async fn file_that_is_no_store_is_refused_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(FILE);
    let text = "no database\n".repeat(1000);
    std::fs::write(&file, &text).unwrap();
    assert!(look(&file).await.is_err());
    assert!(Store::open(&file).await.is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert!(matches!(Store::open(Path::new("/nowhere/at/all")).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn value_that_no_program_wrote_is_reported() {
    let (store, place) = open().await;
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    for sql in ["UPDATE key_pairs SET algorithm = 'rot13'", "UPDATE key_pairs SET certificates = X'3003'"] {
        sqlx::query(sql).execute(&mut beside(&place).await).await.unwrap();
        assert!(matches!(store.pair(pair.id).await, Err(StoreError::Inconsistent(_))), "{sql}");
    }
}

#[tokio::test]
async fn writer_recovers_from_a_transaction_that_the_database_ended() {
    let (store, _place) = open().await;
    let mut change = begin(&store).await;
    // What SQLite does by itself when the disk is full or failing.
    sqlx::query("ROLLBACK").execute(&mut *change.conn).await.unwrap();
    drop(change);
    for _ in 0..3 {
        store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn commit_that_fails_is_unknown_unless_the_lock_was_another_s() {
    let (_store, place) = open().await;
    let mut holder = beside(&place).await;
    let _held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let locked = beside(&place).await.begin_with("BEGIN IMMEDIATE").await.unwrap_err();
    assert!(matches!(commit_failure::<Sqlite>(locked), StoreError::Unavailable(_)));
    let failing = sqlx::Error::Io(std::io::Error::other("disk"));
    assert!(matches!(commit_failure::<Sqlite>(failing), StoreError::Unknown(_)));
    assert!(matches!(commit_failure::<Sqlite>(sqlx::Error::WorkerCrashed), StoreError::Unknown(_)));
}

/// What the schema before suspended and compromised keys held is there afterwards, row by row.
#[tokio::test]
async fn store_of_version_0_1_0_is_brought_up_to_date_with_all_that_it_held() {
    const STATES: [&str; 8] =
        ["Reserved", "Abandoning", "Stocked", "PreActive", "Active", "Deactivated", "Destroying", "Destroyed"];
    let place = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join(FILE)).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options.foreign_keys(true)).await.unwrap();
    let before = migrations::of_sqlite().into_iter().take(5).collect();
    sqlx::migrate::Migrator::with_migrations(before).run(&mut old).await.unwrap();
    for (n, state) in STATES.iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        let name = (*state != "Stocked").then_some("signing:a");
        sqlx::query(
            "INSERT INTO key_pairs (id, ring, ring_kind, generation, state, provider, locator, origin, key_use, algorithm,
                 signature_algorithm, permitted, kid, spki, created_at, deleted_at, destroyed_at, version,
                 owner_instance, owner_life, lease_until)
             VALUES ($1, $2, $3, $4, $5, 'HSM', $6, 'generated', 'sign', 'p-256', 'SHA256withECDSA', 'SHA256withECDSA',
                 'kid', $7, 5, 6, $8, 1, 'i', 'l', 0)",
        )
        .bind(KeyId::new(at(n)).unwrap().to_string())
        .bind(name)
        .bind(name.map(|_| "signing"))
        .bind(n)
        .bind(state)
        .bind(vec![u8::try_from(n).unwrap(); 16])
        .bind(spki().as_bytes())
        .bind((*state == "Destroyed").then_some(7))
        .execute(&mut old)
        .await
        .unwrap();
    }
    let claims = "INSERT INTO idempotency SELECT 'p', id, 'k', X'00', id, 9 FROM key_pairs";
    sqlx::query(claims).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = Store::open(&place.path().join(FILE)).await.unwrap();
    let rows = store.page(None, Timestamp::from_micros(0), 100).await.unwrap();
    assert_eq!(rows.iter().map(|pair| pair.state.name()).collect::<Vec<_>>(), STATES);
    assert!(rows.iter().all(|pair| pair.suspended_from.is_none() && pair.compromised_at.is_none()));
    assert!(rows.iter().all(|pair| (pair.created_at.as_micros(), pair.version) == (5, 1)));
    let suspended = moved(&store, &rows[4], KeyState::Suspended, at(9)).await;
    assert_eq!(suspended.suspended_from, Some(KeyState::Active));
    store.close().await;

    let mut beside = beside(&place).await;
    let claims: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM idempotency JOIN key_pairs ON id = key_id")
        .fetch_one(&mut beside)
        .await
        .unwrap();
    assert_eq!(claims, 8);
    assert!(sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut beside).await.unwrap().is_empty());
    assert!(sqlx::query("DELETE FROM key_pairs").execute(&mut beside).await.is_err(), "rows stay");
}
