-- The service's own ledger, byte for byte. Append-only; its entries are written
-- in the transactions of what they record.
CREATE TABLE own_entries (
    seq  BIGINT NOT NULL PRIMARY KEY,
    leaf TEXT   NOT NULL UNIQUE,
    kind TEXT   NOT NULL,
    line TEXT   NOT NULL
);

CREATE TRIGGER own_entries_no_update BEFORE UPDATE ON own_entries
BEGIN SELECT RAISE(ABORT, 'own_entries are append-only'); END;
CREATE TRIGGER own_entries_no_delete BEFORE DELETE ON own_entries
BEGIN SELECT RAISE(ABORT, 'own_entries are append-only'); END;
CREATE TRIGGER own_entries_no_replace BEFORE INSERT ON own_entries
WHEN EXISTS (SELECT 1 FROM own_entries WHERE seq = NEW.seq OR leaf = NEW.leaf)
BEGIN SELECT RAISE(ABORT, 'own_entries are append-only'); END;
