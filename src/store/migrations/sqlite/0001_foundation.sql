-- Times are microseconds since 1970-01-01T00:00:00Z; ids are text, so that a person can read them.

CREATE TABLE store_meta (
    singleton       INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    store_id        TEXT    NOT NULL,
    fingerprint_key BLOB    NOT NULL,
    epoch           INTEGER NOT NULL DEFAULT 0,
    -- The number of the latest sweeper: a sweeper with a lower one may no longer write.
    fence           INTEGER NOT NULL DEFAULT 0,
    -- What a ping writes.
    pings           INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE key_pairs (
    id                  TEXT    NOT NULL PRIMARY KEY,
    ring                TEXT,
    ring_kind           TEXT,
    generation          INTEGER NOT NULL,
    state               TEXT    NOT NULL,
    missing_since       INTEGER,
    missing             INTEGER NOT NULL DEFAULT 0 CHECK (missing IN (0, 1)),
    provider            TEXT    NOT NULL,
    locator             BLOB    NOT NULL,
    -- The sealed private half of a LOCAL key, until it is destroyed.
    sealed              BLOB,
    origin              TEXT    NOT NULL,
    key_use             TEXT    NOT NULL,
    algorithm           TEXT    NOT NULL,
    signature_algorithm TEXT    NOT NULL,
    -- Names with a blank between them.
    permitted           TEXT    NOT NULL,
    kid                 TEXT,
    spki                BLOB,
    -- DER, the leaf first, one after the other: each says its own length.
    certificates        BLOB    NOT NULL DEFAULT X'',
    created_at          INTEGER NOT NULL,
    activated_at        INTEGER,
    deactivated_at      INTEGER,
    destroyed_at        INTEGER,
    version             INTEGER NOT NULL,
    -- Who reserved it, and until when nobody else may undo that.
    owner_instance      TEXT    NOT NULL,
    owner_life          TEXT    NOT NULL,
    lease_until         INTEGER NOT NULL,

    CHECK ((ring IS NULL) = (ring_kind IS NULL)),
    CHECK (substr(ring, 1, length(ring_kind)) = ring_kind),
    CHECK (state IN ('Reserved', 'Abandoning', 'Stocked', 'PreActive', 'Active', 'Deactivated', 'Destroying', 'Destroyed')),
    CHECK (state <> 'Stocked' OR ring IS NULL),
    CHECK (state NOT IN ('PreActive', 'Active', 'Deactivated') OR ring IS NOT NULL),
    CHECK (state IN ('Reserved', 'Abandoning', 'Destroyed') OR (kid IS NOT NULL AND spki IS NOT NULL)),
    CHECK ((state = 'Destroyed') = (destroyed_at IS NOT NULL)),
    CHECK (sealed IS NULL OR (provider = 'LOCAL' AND state <> 'Destroyed'))
) STRICT;

CREATE UNIQUE INDEX key_pairs_one_active ON key_pairs (ring) WHERE state = 'Active';
CREATE UNIQUE INDEX key_pairs_generation ON key_pairs (ring, generation);
-- Tombstones aside: a linked key may be let go and linked again.
CREATE UNIQUE INDEX key_pairs_locator ON key_pairs (provider, locator) WHERE state <> 'Destroyed';
CREATE INDEX key_pairs_active_of_kind ON key_pairs (ring_kind, created_at, id) WHERE state = 'Active';
CREATE INDEX key_pairs_unfinished ON key_pairs (id) WHERE state IN ('Reserved', 'Abandoning', 'Destroying');
CREATE INDEX key_pairs_kid ON key_pairs (kid);

CREATE TRIGGER key_pairs_stay BEFORE DELETE ON key_pairs
BEGIN
    SELECT RAISE(ABORT, 'a key pair ends as a tombstone');
END;

CREATE TABLE idempotency (
    principal   TEXT    NOT NULL,
    route       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    key_id      TEXT    NOT NULL REFERENCES key_pairs (id),
    expires     INTEGER NOT NULL,
    PRIMARY KEY (principal, route, key)
) STRICT;

CREATE INDEX idempotency_key_id ON idempotency (key_id);
CREATE INDEX idempotency_expires ON idempotency (expires);

CREATE TABLE audit_events (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    principal  TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    key_id     TEXT,
    ring       TEXT,
    detail     TEXT    NOT NULL,
    request_id TEXT
) STRICT;

CREATE TRIGGER audit_events_do_not_change BEFORE UPDATE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_events_stay BEFORE DELETE ON audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
