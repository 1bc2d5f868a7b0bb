//! The rows of documents and of their references to rings.

use super::sqlite::Connection;
use super::states::{current, visible};
use super::{DocumentKind, PutOutcome, StoreError, StoredDocument, key_pairs, meta, rings};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyPair, RingId};

type Row = (String, String, String, i64);

/// One document.
pub(super) async fn find(
    conn: &mut Connection,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<StoredDocument>, StoreError> {
    let sql = "SELECT kind, id, body, updated_at FROM documents WHERE kind = $1 AND id = $2";
    let row: Option<Row> = sqlx::query_as(sql).bind(kind.name()).bind(id).fetch_optional(conn).await?;
    row.map(document).transpose()
}

/// Every document of a kind, by id.
pub(super) async fn of_kind(conn: &mut Connection, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError> {
    let sql = "SELECT kind, id, body, updated_at FROM documents WHERE kind = $1 ORDER BY id";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(kind.name()).fetch_all(conn).await?;
    rows.into_iter().map(document).collect()
}

/// Keeps a document and what it refers to; anything but [`PutOutcome::Done`] has changed nothing.
pub(super) async fn put(
    conn: &mut Connection,
    document: &StoredDocument,
    references: &[RingId],
    new: bool,
) -> Result<PutOutcome, StoreError> {
    let own = own_ring(document)?;
    for ring in own.iter().chain(references) {
        if !key_pairs::has_active(conn, Some(ring)).await? {
            return Ok(PutOutcome::NoSuchRing(ring.clone()));
        }
    }
    if new && find(conn, document.kind, &document.id).await?.is_some() {
        return Ok(PutOutcome::Exists);
    }
    sqlx::query(
        "INSERT INTO documents (kind, id, body, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
    )
    .bind(document.kind.name())
    .bind(&document.id)
    .bind(&document.body)
    .bind(document.updated_at.as_micros())
    .execute(&mut *conn)
    .await?;
    refer(conn, document, references).await?;
    meta::advance_epoch(conn).await?;
    rings::make_due(conn, own.as_ref()).await?;
    Ok(PutOutcome::Done)
}

/// Removes a document with its references; whether there was one.
pub(super) async fn delete(conn: &mut Connection, kind: DocumentKind, id: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM documents WHERE kind = $1 AND id = $2")
        .bind(kind.name())
        .bind(id)
        .execute(&mut *conn)
        .await?;
    meta::advance_epoch(conn).await?;
    if kind.is_of_a_ring() {
        rings::make_due(conn, id.parse().ok().as_ref()).await?;
    }
    Ok(done.rows_affected() > 0)
}

/// Refuses to let `pair` go while a document refers to its ring and no other key is the current one there.
pub(super) async fn check_release(conn: &mut Connection, pair: &KeyPair) -> Result<(), StoreError> {
    let Some(ring) = &pair.ring else { return Ok(()) };
    let another: Option<i64> =
        sqlx::query_scalar(concat!("SELECT 1 FROM key_pairs WHERE ring = $1 AND id <> $2 AND ", current!()))
            .bind(ring.to_string())
            .bind(pair.id.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let referring = if another.is_some() { Vec::new() } else { referring_to(conn, ring).await? };
    if referring.is_empty() { Ok(()) } else { Err(StoreError::InUse(referring)) }
}

/// What refers to a ring, documents of its own apart.
pub(super) async fn referring_to(
    conn: &mut Connection,
    ring: &RingId,
) -> Result<Vec<(DocumentKind, String)>, StoreError> {
    let sql = "SELECT kind, id FROM document_references WHERE ring = $1 AND id <> $1 ORDER BY kind, id";
    let rows: Vec<(String, String)> = sqlx::query_as(sql).bind(ring.to_string()).fetch_all(conn).await?;
    rows.into_iter().map(|(kind, id)| Ok((kind_of(&kind)?, id))).collect()
}

/// Removes the documents that go with a ring that has no visible key left.
pub(super) async fn delete_with_last_key(conn: &mut Connection, ring: &RingId) -> Result<(), StoreError> {
    for kind in DocumentKind::ALL.into_iter().filter(|kind| kind.is_of_a_ring()) {
        sqlx::query(concat!(
            "DELETE FROM documents WHERE kind = $1 AND id = $2 AND NOT EXISTS (
                 SELECT 1 FROM key_pairs WHERE ring = $2 AND state IN ",
            visible!(),
            ")"
        ))
        .bind(kind.name())
        .bind(ring.to_string())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The ring with which a document goes.
fn own_ring(document: &StoredDocument) -> Result<Option<RingId>, StoreError> {
    if !document.kind.is_of_a_ring() {
        return Ok(None);
    }
    let ring = document.id.parse();
    ring.map(Some).map_err(|wrong| StoreError::Inconsistent(format!("{} of {wrong}", document.kind.name())))
}

/// Replaces the references of a document.
async fn refer(conn: &mut Connection, document: &StoredDocument, references: &[RingId]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM document_references WHERE kind = $1 AND id = $2")
        .bind(document.kind.name())
        .bind(&document.id)
        .execute(&mut *conn)
        .await?;
    for ring in references {
        sqlx::query("INSERT INTO document_references (kind, id, ring) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(document.kind.name())
            .bind(&document.id)
            .bind(ring.to_string())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

fn document((kind, id, body, updated_at): Row) -> Result<StoredDocument, StoreError> {
    Ok(StoredDocument { kind: kind_of(&kind)?, id, body, updated_at: Timestamp::from_micros(updated_at) })
}

fn kind_of(name: &str) -> Result<DocumentKind, StoreError> {
    DocumentKind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| StoreError::Inconsistent(format!("a document of kind {name:?}")))
}
