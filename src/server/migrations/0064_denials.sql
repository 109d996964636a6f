-- Whether a person denied it or a rule blocked it: few are, and a line that resembles one is flagged,
-- so each new line looks them up.
ALTER TABLE submissions ADD COLUMN denied BIGINT NOT NULL DEFAULT 0;
UPDATE submissions SET denied = 1 WHERE outcome IN ('denied', 'blocked')
    OR id IN (SELECT submission FROM decisions WHERE choice = 'deny' AND decided_by <> 'timeout');
CREATE INDEX submissions_denied ON submissions (host, agent, submitted_at_ms) WHERE denied = 1;
