-- What people found of commands later: every verdict, in order; the last one of a command counts.
-- `seq`: its entry in the service's own ledger. Append-only.
CREATE TABLE triage (
    seq        BIGINT NOT NULL PRIMARY KEY,
    submission TEXT   NOT NULL REFERENCES submissions (id),
    verdict    TEXT   NOT NULL,
    reviewer   TEXT   NOT NULL REFERENCES reviewers (name),
    note       TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL
);
CREATE INDEX triage_submission ON triage (submission, seq);
CREATE TRIGGER triage_no_update BEFORE UPDATE ON triage
BEGIN SELECT RAISE(ABORT, 'triage is append-only'); END;
CREATE TRIGGER triage_no_delete BEFORE DELETE ON triage
BEGIN SELECT RAISE(ABORT, 'triage is append-only'); END;
CREATE TRIGGER triage_no_replace BEFORE INSERT ON triage
WHEN EXISTS (SELECT 1 FROM triage WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'triage is append-only'); END;

-- The last verdict, for questions by it.
ALTER TABLE submissions ADD COLUMN triage TEXT;
CREATE INDEX submissions_triage ON submissions (triage, position) WHERE triage IS NOT NULL;
