//! The rows of documents and of their references to rings.

use super::seam::{Columns, Connection, Statement, unreadable};
use super::{DocumentKind, StoreError, StoredDocument};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::RingId;

/// One document.
pub(super) async fn find(
    conn: &mut impl Connection,
    kind: DocumentKind,
    id: &str,
) -> Result<Option<StoredDocument>, StoreError> {
    let sql = "SELECT kind, id, body, updated_at FROM documents WHERE kind = $1 AND id = $2";
    Statement::new(sql).bind(kind.name()).bind(id).fetch_optional(conn, document).await
}

/// Every document of a kind, by id.
pub(super) async fn of_kind(conn: &mut impl Connection, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError> {
    let sql = "SELECT kind, id, body, updated_at FROM documents WHERE kind = $1 ORDER BY id";
    Statement::new(sql).bind(kind.name()).fetch_all(conn, document).await
}

/// Inserts a document with the rings that it refers to, unless there is one of its id; whether it did.
pub(super) async fn insert(
    conn: &mut impl Connection,
    document: &StoredDocument,
    references: &[RingId],
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO documents (kind, id, body, updated_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let inserted = Statement::new(sql)
        .bind(document.kind.name())
        .bind(document.id.as_str())
        .bind(document.body.as_str())
        .bind(document.updated_at.as_micros())
        .execute(conn)
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    refer(conn, document, references).await?;
    Ok(true)
}

/// Inserts a document or replaces the one of its id, with the rings that it refers to.
pub(super) async fn put(
    conn: &mut impl Connection,
    document: &StoredDocument,
    references: &[RingId],
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO documents (kind, id, body, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
    )
    .bind(document.kind.name())
    .bind(document.id.as_str())
    .bind(document.body.as_str())
    .bind(document.updated_at.as_micros())
    .execute(conn)
    .await?;
    refer(conn, document, references).await
}

/// Removes a document with its references; whether there was one.
pub(super) async fn delete(conn: &mut impl Connection, kind: DocumentKind, id: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM documents WHERE kind = $1 AND id = $2";
    Ok(Statement::new(sql).bind(kind.name()).bind(id).execute(conn).await? > 0)
}

/// What refers to a ring, documents of its own apart.
pub(super) async fn referring_to(
    conn: &mut impl Connection,
    ring: &RingId,
) -> Result<Vec<(DocumentKind, String)>, StoreError> {
    let sql = "SELECT kind, id FROM document_references WHERE ring = $1 AND id <> $1 ORDER BY kind, id";
    Statement::new(sql).bind(ring.to_string()).fetch_all(conn, |row| Ok((kind(row)?, row.get("id")?))).await
}

/// Removes the documents that are about one ring.
pub(super) async fn delete_of_ring(conn: &mut impl Connection, ring: &RingId) -> Result<(), StoreError> {
    for kind in DocumentKind::ALL.into_iter().filter(|kind| kind.is_of_a_ring()) {
        delete(conn, kind, &ring.to_string()).await?;
    }
    Ok(())
}

/// The ring that a document is about.
pub(super) fn ring_of(document: &StoredDocument) -> Result<Option<RingId>, StoreError> {
    if !document.kind.is_of_a_ring() {
        return Ok(None);
    }
    let ring = document.id.parse();
    ring.map(Some).map_err(|wrong| StoreError::Inconsistent(format!("{} of {wrong}", document.kind.name())))
}

/// Replaces the references of a document.
async fn refer(conn: &mut impl Connection, document: &StoredDocument, references: &[RingId]) -> Result<(), StoreError> {
    Statement::new("DELETE FROM document_references WHERE kind = $1 AND id = $2")
        .bind(document.kind.name())
        .bind(document.id.as_str())
        .execute(conn)
        .await?;
    for ring in references {
        Statement::new("INSERT INTO document_references (kind, id, ring) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(document.kind.name())
            .bind(document.id.as_str())
            .bind(ring.to_string())
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn document(row: &impl Columns) -> sqlx::Result<StoredDocument> {
    let updated_at = Timestamp::from_micros(row.get("updated_at")?);
    Ok(StoredDocument { kind: kind(row)?, id: row.get("id")?, body: row.get("body")?, updated_at })
}

fn kind(row: &impl Columns) -> sqlx::Result<DocumentKind> {
    let name: &str = row.get("kind")?;
    DocumentKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| unreadable("kind"))
}
