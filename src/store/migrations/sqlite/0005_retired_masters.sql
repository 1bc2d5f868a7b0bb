-- The lowest version of a master key that a key may be sealed under; only growing.
ALTER TABLE store_meta ADD COLUMN oldest_master INTEGER NOT NULL DEFAULT 0;

CREATE TRIGGER master_keys_stay_retired BEFORE UPDATE OF oldest_master ON store_meta
WHEN NEW.oldest_master < OLD.oldest_master
BEGIN
    SELECT RAISE(ABORT, 'a master key stays retired');
END;
