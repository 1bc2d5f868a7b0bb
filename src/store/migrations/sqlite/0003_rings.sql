-- When the deletion of a key pair was committed; its destruction follows.
ALTER TABLE key_pairs ADD COLUMN deleted_at INTEGER;

UPDATE key_pairs SET deleted_at = destroyed_at WHERE state = 'Destroyed' AND kid IS NOT NULL;

-- Every ring that ever was, and when a sweep has to look at it: 0 after each change, NULL when nothing is planned.
CREATE TABLE rings (
    ring      TEXT    NOT NULL PRIMARY KEY,
    ring_kind TEXT    NOT NULL,
    due_at    INTEGER,
    -- Counts changes: a plan that was made before the latest one is not noted.
    version   INTEGER NOT NULL,
    CHECK (substr(ring, 1, length(ring_kind)) = ring_kind)
) STRICT;

CREATE INDEX rings_due ON rings (due_at, ring) WHERE due_at IS NOT NULL;

INSERT INTO rings (ring, ring_kind, due_at, version)
SELECT DISTINCT ring, ring_kind, 0, 1 FROM key_pairs WHERE ring IS NOT NULL;

-- Who sweeps, until when, and when a sweep last came to its end.
ALTER TABLE store_meta ADD COLUMN sweeper_instance TEXT;
ALTER TABLE store_meta ADD COLUMN sweeper_life TEXT;
ALTER TABLE store_meta ADD COLUMN sweeper_until INTEGER;
ALTER TABLE store_meta ADD COLUMN swept_at INTEGER;

-- The kinds of documents are the program's to know.
CREATE TABLE documents_of_any_kind (
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;

CREATE TABLE document_references_of_any_kind (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    ring TEXT NOT NULL,
    PRIMARY KEY (kind, id, ring),
    FOREIGN KEY (kind, id) REFERENCES documents_of_any_kind (kind, id) ON DELETE CASCADE
) STRICT;

INSERT INTO documents_of_any_kind SELECT kind, id, body, updated_at FROM documents;
INSERT INTO document_references_of_any_kind SELECT kind, id, ring FROM document_references;
DROP TABLE document_references;
DROP TABLE documents;
ALTER TABLE documents_of_any_kind RENAME TO documents;
ALTER TABLE document_references_of_any_kind RENAME TO document_references;

CREATE INDEX document_references_ring ON document_references (ring);
