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

-- PINs that daemons have tried, by a salted slow hash in the PHC string format.
CREATE TABLE known_pins (
    -- The serial number of the token.
    token         TEXT    NOT NULL,
    hash          TEXT    NOT NULL,
    -- Whether the token took it when it was last tried.
    worked        INTEGER NOT NULL CHECK (worked IN (0, 1)),
    -- How often the token has refused it since it last took it.
    refusals      INTEGER NOT NULL,
    -- Attempts that were begun and whose end is not known.
    open_attempts INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    PRIMARY KEY (token, hash)
) STRICT;

CREATE UNIQUE INDEX known_pins_one_works ON known_pins (token) WHERE worked = 1;

-- The daemon that alone may try a PIN that has not worked yet, and until when.
CREATE TABLE pin_trials (
    token      TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    held_until INTEGER NOT NULL
) STRICT;
