-- Openings that an `erasure` or `redaction` of a host has taken out of its entries here. Append-only.
CREATE TABLE removed_openings (
    host     TEXT   NOT NULL REFERENCES hosts (id),
    seq      BIGINT NOT NULL,
    path     TEXT   NOT NULL,
    -- The entry that declares it.
    declared BIGINT NOT NULL,
    PRIMARY KEY (host, seq, path)
);
CREATE TRIGGER removed_openings_no_update BEFORE UPDATE ON removed_openings
BEGIN SELECT RAISE(ABORT, 'removed_openings are append-only'); END;
CREATE TRIGGER removed_openings_no_delete BEFORE DELETE ON removed_openings
BEGIN SELECT RAISE(ABORT, 'removed_openings are append-only'); END;

-- An entry stays what it is: it may lose openings that are declared gone, and nothing else of it changes.
DROP TRIGGER entries_no_update;
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
WHEN NEW.host <> OLD.host OR NEW.seq <> OLD.seq OR NEW.leaf <> OLD.leaf OR NEW.kind <> OLD.kind
  OR NEW.login IS NOT OLD.login OR NEW.at_us <> OLD.at_us OR NEW.received_at_ms <> OLD.received_at_ms
  OR length(NEW.line) >= length(OLD.line)
  OR NOT EXISTS (SELECT 1 FROM removed_openings WHERE host = OLD.host AND seq = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

-- Of a decision or an approval only the comment may go: the signed statement does not hold it.
DROP TRIGGER decisions_no_update;
CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
WHEN NEW.comment IS NOT NULL OR NEW.submission <> OLD.submission OR NEW.choice <> OLD.choice
  OR NEW.decided_by <> OLD.decided_by OR NEW.statement <> OLD.statement OR NEW.sig <> OLD.sig
  OR NEW.reviews <> OLD.reviews OR NEW.decided_at_ms <> OLD.decided_at_ms
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
DROP TRIGGER approvals_no_update;
CREATE TRIGGER approvals_no_update BEFORE UPDATE ON approvals
WHEN NEW.comment IS NOT NULL OR NEW.submission <> OLD.submission OR NEW.reviewer <> OLD.reviewer OR NEW.at_ms <> OLD.at_ms
BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;

-- Of a fork the held line may lose what the entry itself has lost.
DROP TRIGGER forks_no_update;
CREATE TRIGGER forks_no_update BEFORE UPDATE ON forks
WHEN NEW.host <> OLD.host OR NEW.seq <> OLD.seq OR NEW.other_leaf <> OLD.other_leaf OR NEW.other_line <> OLD.other_line
  OR NEW.seen_at_ms <> OLD.seen_at_ms OR length(NEW.held_line) >= length(OLD.held_line)
BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;

-- When the recording was erased; no byte of it is taken after that.
ALTER TABLE recordings ADD COLUMN erased_at_ms BIGINT;
