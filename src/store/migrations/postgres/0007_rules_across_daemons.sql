-- Counts the changes of a document: a change that was made of an older one is refused.
ALTER TABLE documents ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;

-- Names that one document of a kind holds at most, such as the issuers of additional key sets.
CREATE TABLE document_claims (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, name),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
);

CREATE INDEX document_claims_id ON document_claims (kind, id);

INSERT INTO document_claims (kind, name, id)
SELECT d.kind, issuer.value, d.id
FROM documents d, json_array_elements_text(d.body::json -> 'issuers') AS issuer (value)
WHERE d.kind = 'additional-key-set'
ON CONFLICT DO NOTHING;

-- PINs that daemons have tried, by a salted slow hash in the PHC string format.
CREATE TABLE known_pins (
    -- The serial number of the token.
    token         TEXT    COLLATE "C" NOT NULL,
    hash          TEXT    COLLATE "C" NOT NULL,
    -- Whether the token took it when it was last tried.
    worked        BOOLEAN NOT NULL,
    -- How often the token has refused it since it last took it.
    refusals      BIGINT  NOT NULL,
    -- Attempts that were begun and whose end is not known.
    open_attempts BIGINT  NOT NULL,
    changed_at    BIGINT  NOT NULL,
    PRIMARY KEY (token, hash)
);

CREATE UNIQUE INDEX known_pins_one_works ON known_pins (token) WHERE worked;

-- The daemon that alone may try a PIN that has not worked yet, and until when.
CREATE TABLE pin_trials (
    token      TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL,
    held_until BIGINT NOT NULL
);
