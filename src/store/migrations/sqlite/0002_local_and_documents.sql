-- What seals LOCAL keys, itself sealed; a lost one would lose every key under it.
CREATE TABLE master_keys (
    version    INTEGER NOT NULL PRIMARY KEY CHECK (version > 0),
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER master_keys_do_not_change BEFORE UPDATE ON master_keys
BEGIN
    SELECT RAISE(ABORT, 'a master key does not change');
END;

CREATE TRIGGER master_keys_stay BEFORE DELETE ON master_keys
BEGIN
    SELECT RAISE(ABORT, 'a master key stays');
END;

CREATE TABLE documents (
    kind       TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id),
    CHECK (kind IN ('ssl-settings', 'rotation-settings', 'trusted-ca'))
) STRICT;

CREATE TABLE document_references (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    ring TEXT NOT NULL,
    PRIMARY KEY (kind, id, ring),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX document_references_ring ON document_references (ring);
