-- Keys may be suspended, compromised and about to be destroyed. SQLite cannot alter a check, so the table is made anew.
CREATE TABLE key_pairs_of_more_states (
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
    -- The state that a suspended key is reinstated to, kept while it is about to be destroyed; and whether a suspended
    -- key is left out of the key sets.
    suspended_from      TEXT    CHECK (suspended_from IN ('PreActive', 'Active', 'Deactivated')),
    unpublished         INTEGER NOT NULL DEFAULT 0 CHECK (unpublished IN (0, 1)),
    -- Kept on the tombstone: the public key is refused ever after.
    compromised_at      INTEGER,
    -- It was the current key of its ring when it was compromised, and none has followed it yet.
    awaits_successor    INTEGER NOT NULL DEFAULT 0 CHECK (awaits_successor IN (0, 1)),
    -- When a key that is about to be destroyed is to be.
    destroy_at          INTEGER,
    -- When the deletion of a key pair was committed; its destruction follows.
    deleted_at          INTEGER,
    destroyed_at        INTEGER,
    version             INTEGER NOT NULL,
    -- Who reserved it, and until when nobody else may undo that.
    owner_instance      TEXT    NOT NULL,
    owner_life          TEXT    NOT NULL,
    lease_until         INTEGER NOT NULL,

    CHECK ((ring IS NULL) = (ring_kind IS NULL)),
    CHECK (substr(ring, 1, length(ring_kind)) = ring_kind),
    CHECK (state IN ('Reserved', 'Abandoning', 'Stocked', 'PreActive', 'Active', 'Deactivated', 'Suspended',
                     'Compromised', 'PendingDestruction', 'Destroying', 'Destroyed')),
    CHECK (state <> 'Stocked' OR ring IS NULL),
    CHECK (state NOT IN ('PreActive', 'Active', 'Deactivated', 'Suspended', 'Compromised', 'PendingDestruction')
           OR ring IS NOT NULL),
    CHECK (state IN ('Reserved', 'Abandoning', 'Destroyed') OR (kid IS NOT NULL AND spki IS NOT NULL)),
    CHECK (state <> 'Suspended' OR suspended_from IS NOT NULL),
    CHECK (state IN ('Suspended', 'PendingDestruction') OR suspended_from IS NULL),
    CHECK (state <> 'PendingDestruction' OR (suspended_from IS NULL) = (compromised_at IS NOT NULL)),
    CHECK ((state = 'PendingDestruction') = (destroy_at IS NOT NULL)),
    CHECK (state = 'Suspended' OR unpublished = 0),
    CHECK (state <> 'Compromised' OR compromised_at IS NOT NULL),
    CHECK (state = 'Compromised' OR awaits_successor = 0),
    CHECK ((state = 'Destroyed') = (destroyed_at IS NOT NULL)),
    CHECK (sealed IS NULL OR (provider = 'LOCAL' AND state <> 'Destroyed'))
) STRICT;

INSERT INTO key_pairs_of_more_states (
    id, ring, ring_kind, generation, state, missing_since, missing, provider, locator, sealed, origin, key_use, algorithm,
    signature_algorithm, permitted, kid, spki, certificates, created_at, activated_at, deactivated_at, deleted_at,
    destroyed_at, version, owner_instance, owner_life, lease_until)
SELECT
    id, ring, ring_kind, generation, state, missing_since, missing, provider, locator, sealed, origin, key_use, algorithm,
    signature_algorithm, permitted, kid, spki, certificates, created_at, activated_at, deactivated_at, deleted_at,
    destroyed_at, version, owner_instance, owner_life, lease_until
FROM key_pairs;

-- It refers to the table that goes, and moves to the one that comes.
CREATE TABLE idempotency_of_more_states (
    principal   TEXT    NOT NULL,
    route       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    key_id      TEXT    NOT NULL REFERENCES key_pairs_of_more_states (id),
    expires     INTEGER NOT NULL,
    PRIMARY KEY (principal, route, key)
) STRICT;

INSERT INTO idempotency_of_more_states SELECT principal, route, key, fingerprint, key_id, expires FROM idempotency;

DROP TABLE idempotency;
DROP TABLE key_pairs;
ALTER TABLE key_pairs_of_more_states RENAME TO key_pairs;
ALTER TABLE idempotency_of_more_states RENAME TO idempotency;

CREATE INDEX idempotency_key_id ON idempotency (key_id);
CREATE INDEX idempotency_expires ON idempotency (expires);

CREATE UNIQUE INDEX key_pairs_one_active ON key_pairs (ring) WHERE state = 'Active';
CREATE UNIQUE INDEX key_pairs_one_to_return ON key_pairs (ring) WHERE suspended_from = 'Active';
CREATE UNIQUE INDEX key_pairs_generation ON key_pairs (ring, generation);
-- Tombstones aside: a linked key may be let go and linked again.
CREATE UNIQUE INDEX key_pairs_locator ON key_pairs (provider, locator) WHERE state <> 'Destroyed';
CREATE INDEX key_pairs_current_of_kind ON key_pairs (ring_kind, created_at, id)
    WHERE state = 'Active' OR (state = 'Suspended' AND suspended_from = 'Active');
CREATE INDEX key_pairs_unfinished ON key_pairs (id) WHERE state IN ('Reserved', 'Abandoning', 'Destroying');
CREATE INDEX key_pairs_kid ON key_pairs (kid);
CREATE INDEX key_pairs_stock ON key_pairs (algorithm, created_at, id) WHERE state = 'Stocked';
CREATE INDEX key_pairs_compromised ON key_pairs (spki) WHERE compromised_at IS NOT NULL;

CREATE TRIGGER key_pairs_stay BEFORE DELETE ON key_pairs
BEGIN
    SELECT RAISE(ABORT, 'a key pair ends as a tombstone');
END;
