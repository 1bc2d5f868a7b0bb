-- Counts the changes of a document: a change that was made of an older one is refused.
ALTER TABLE documents ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;

-- Names that one document of a kind holds at most, such as the issuers of additional key sets.
CREATE TABLE document_claims (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    id   TEXT NOT NULL,
    PRIMARY KEY (kind, name),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX document_claims_id ON document_claims (kind, id);

INSERT OR IGNORE INTO document_claims (kind, name, id)
SELECT d.kind, issuer.value, d.id
FROM documents d, json_each(d.body, '$.issuers') AS issuer
WHERE d.kind = 'additional-key-set';
