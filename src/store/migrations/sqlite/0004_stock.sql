-- The next key of an algorithm from stock.
CREATE INDEX key_pairs_stock ON key_pairs (algorithm, created_at, id) WHERE state = 'Stocked';
