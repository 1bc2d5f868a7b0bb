-- The schema as SQLite's migrations have it by this version. Times are microseconds since 1970-01-01T00:00:00Z; ids are text, so that a person can read them.
-- Text is compared byte by byte: the order of ids is the same on every database.

CREATE TABLE strongroom_migrations (
    version     BIGINT NOT NULL PRIMARY KEY,
    description TEXT   NOT NULL,
    applied_at  TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);

CREATE TABLE store_meta (
    singleton        BIGINT NOT NULL PRIMARY KEY CHECK (singleton = 1),
    store_id         TEXT   NOT NULL,
    fingerprint_key  BYTEA  NOT NULL,
    epoch            BIGINT NOT NULL DEFAULT 0,
    -- The number of the latest sweeper: a sweeper with a lower one may no longer write.
    fence            BIGINT NOT NULL DEFAULT 0,
    -- What a ping writes.
    pings            BIGINT NOT NULL DEFAULT 0,
    -- Who sweeps, until when, and when a sweep last came to its end.
    sweeper_instance TEXT,
    sweeper_life     TEXT,
    sweeper_until    BIGINT,
    swept_at         BIGINT,
    -- The lowest version of a master key that a key may be sealed under; only growing.
    oldest_master    BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE key_pairs (
    id                  TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    ring                TEXT    COLLATE "C",
    ring_kind           TEXT    COLLATE "C",
    generation          BIGINT  NOT NULL,
    state               TEXT    COLLATE "C" NOT NULL,
    missing_since       BIGINT,
    missing             BOOLEAN NOT NULL DEFAULT FALSE,
    provider            TEXT    COLLATE "C" NOT NULL,
    locator             BYTEA   NOT NULL,
    -- The sealed private half of a LOCAL key, until it is destroyed.
    sealed              BYTEA,
    origin              TEXT    NOT NULL,
    key_use             TEXT    NOT NULL,
    algorithm           TEXT    COLLATE "C" NOT NULL,
    signature_algorithm TEXT    NOT NULL,
    -- Names with a blank between them.
    permitted           TEXT    NOT NULL,
    kid                 TEXT    COLLATE "C",
    spki                BYTEA,
    -- DER, the leaf first, one after the other: each says its own length.
    certificates        BYTEA   NOT NULL DEFAULT '\x',
    created_at          BIGINT  NOT NULL,
    activated_at        BIGINT,
    deactivated_at      BIGINT,
    -- The state that a suspended key is reinstated to, kept while it is about to be destroyed; and whether a suspended
    -- key is left out of the key sets.
    suspended_from      TEXT    COLLATE "C" CHECK (suspended_from IN ('PreActive', 'Active', 'Deactivated')),
    unpublished         BOOLEAN NOT NULL DEFAULT FALSE,
    -- Kept on the tombstone: the public key is refused ever after.
    compromised_at      BIGINT,
    -- It was the current key of its ring when it was compromised, and none has followed it yet.
    awaits_successor    BOOLEAN NOT NULL DEFAULT FALSE,
    -- When a key that is about to be destroyed is to be.
    destroy_at          BIGINT,
    -- When the deletion was committed; the destruction follows.
    deleted_at          BIGINT,
    destroyed_at        BIGINT,
    version             BIGINT  NOT NULL,
    -- Who reserved it, and until when nobody else may undo that.
    owner_instance      TEXT    COLLATE "C" NOT NULL,
    owner_life          TEXT    COLLATE "C" NOT NULL,
    lease_until         BIGINT  NOT NULL,

    CHECK ((ring IS NULL) = (ring_kind IS NULL)),
    CHECK (substr(ring, 1, length(ring_kind)) = ring_kind),
    CONSTRAINT key_pairs_states
        CHECK (state IN ('Reserved', 'Abandoning', 'Stocked', 'PreActive', 'Active', 'Deactivated', 'Suspended',
                         'Compromised', 'PendingDestruction', 'Destroying', 'Destroyed')),
    CHECK (state <> 'Stocked' OR ring IS NULL),
    CONSTRAINT key_pairs_visible
        CHECK (state NOT IN ('PreActive', 'Active', 'Deactivated', 'Suspended', 'Compromised', 'PendingDestruction')
               OR ring IS NOT NULL),
    CONSTRAINT key_pairs_have_public_halves
        CHECK (state IN ('Reserved', 'Abandoning', 'Destroyed') OR (kid IS NOT NULL AND spki IS NOT NULL)),
    CHECK (state <> 'Suspended' OR suspended_from IS NOT NULL),
    CHECK (state IN ('Suspended', 'PendingDestruction') OR suspended_from IS NULL),
    CHECK (state <> 'PendingDestruction' OR (suspended_from IS NULL) = (compromised_at IS NOT NULL)),
    CHECK ((state = 'PendingDestruction') = (destroy_at IS NOT NULL)),
    CHECK (state = 'Suspended' OR NOT unpublished),
    CHECK (state <> 'Compromised' OR compromised_at IS NOT NULL),
    CHECK (state = 'Compromised' OR NOT awaits_successor),
    CHECK ((state = 'Destroyed') = (destroyed_at IS NOT NULL)),
    CHECK (sealed IS NULL OR (provider = 'LOCAL' AND state <> 'Destroyed'))
);

CREATE UNIQUE INDEX key_pairs_one_active ON key_pairs (ring) WHERE state = 'Active';
CREATE UNIQUE INDEX key_pairs_generation ON key_pairs (ring, generation);
-- Tombstones aside: a linked key may be let go and linked again.
CREATE UNIQUE INDEX key_pairs_locator ON key_pairs (provider, locator) WHERE state <> 'Destroyed';
CREATE UNIQUE INDEX key_pairs_one_to_return ON key_pairs (ring) WHERE suspended_from = 'Active';
CREATE INDEX key_pairs_current_of_kind ON key_pairs (ring_kind, created_at, id)
    WHERE state = 'Active' OR (state = 'Suspended' AND suspended_from = 'Active');
CREATE INDEX key_pairs_compromised ON key_pairs (spki) WHERE compromised_at IS NOT NULL;
CREATE INDEX key_pairs_unfinished ON key_pairs (id) WHERE state IN ('Reserved', 'Abandoning', 'Destroying');
CREATE INDEX key_pairs_kid ON key_pairs (kid);
-- The next key of an algorithm from stock.
CREATE INDEX key_pairs_stock ON key_pairs (algorithm, created_at, id) WHERE state = 'Stocked';
-- The private halves that a master key seals.
CREATE INDEX key_pairs_sealed ON key_pairs (id) WHERE sealed IS NOT NULL;

CREATE TABLE idempotency (
    principal   TEXT   COLLATE "C" NOT NULL,
    route       TEXT   COLLATE "C" NOT NULL,
    key         TEXT   COLLATE "C" NOT NULL,
    fingerprint BYTEA  NOT NULL,
    key_id      TEXT   COLLATE "C" NOT NULL REFERENCES key_pairs (id),
    expires     BIGINT NOT NULL,
    PRIMARY KEY (principal, route, key)
);

CREATE INDEX idempotency_key_id ON idempotency (key_id);
CREATE INDEX idempotency_expires ON idempotency (expires);

CREATE TABLE audit_events (
    number     BIGINT NOT NULL GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at         BIGINT NOT NULL,
    principal  TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    key_id     TEXT,
    ring       TEXT,
    detail     TEXT   NOT NULL,
    request_id TEXT
);

-- What seals LOCAL keys, itself sealed; a lost one would lose every key under it.
CREATE TABLE master_keys (
    version    BIGINT NOT NULL PRIMARY KEY CHECK (version > 0),
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

-- Every ring that ever was, and when a sweep has to look at it: 0 after each change, NULL when nothing is planned.
-- A transaction locks the rows of the rings that it changes.
CREATE TABLE rings (
    ring      TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    ring_kind TEXT   COLLATE "C" NOT NULL,
    due_at    BIGINT,
    -- Counts changes: a plan that was made before the latest one is not noted.
    version   BIGINT NOT NULL,
    CHECK (substr(ring, 1, length(ring_kind)) = ring_kind)
);

CREATE INDEX rings_due ON rings (due_at, ring) WHERE due_at IS NOT NULL;

CREATE TABLE documents (
    kind       TEXT   COLLATE "C" NOT NULL,
    id         TEXT   COLLATE "C" NOT NULL,
    body       TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

CREATE TABLE document_references (
    kind TEXT COLLATE "C" NOT NULL,
    id   TEXT COLLATE "C" NOT NULL,
    ring TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, id, ring),
    FOREIGN KEY (kind, id) REFERENCES documents (kind, id) ON DELETE CASCADE
);

CREATE INDEX document_references_ring ON document_references (ring);

CREATE FUNCTION strongroom_refuse() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END
$refuse$;

CREATE TRIGGER key_pairs_stay BEFORE DELETE ON key_pairs
    FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse('a key pair ends as a tombstone');
CREATE TRIGGER audit_events_do_not_change BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse('the audit trail is append-only');
CREATE TRIGGER audit_events_stay BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse('the audit trail is append-only');
CREATE TRIGGER key_pairs_stay_at_once BEFORE TRUNCATE ON key_pairs
    FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse('a key pair ends as a tombstone');
CREATE TRIGGER master_keys_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON master_keys
    FOR EACH STATEMENT EXECUTE FUNCTION strongroom_refuse('a master key stays as it is');
CREATE TRIGGER master_keys_stay_retired BEFORE UPDATE OF oldest_master ON store_meta
    FOR EACH ROW WHEN (NEW.oldest_master < OLD.oldest_master)
    EXECUTE FUNCTION strongroom_refuse('a master key stays retired');
