-- Rules with their history: every text a rule ever had is a row. `kind` is
-- standing, grant or settings (number 0); `body` is the rule as written, JSON.
DROP TABLE rules;
CREATE TABLE rules (
    id                  BIGINT NOT NULL,
    revision            BIGINT NOT NULL,
    kind                TEXT   NOT NULL,
    body                TEXT   NOT NULL,
    -- proposed, active, replaced, ended.
    state               TEXT   NOT NULL,
    author              TEXT   NOT NULL REFERENCES reviewers (name),
    authored_at_ms      BIGINT NOT NULL,
    approver            TEXT REFERENCES reviewers (name),
    approved_at_ms      BIGINT,
    last_reviewed_at_ms BIGINT NOT NULL,
    last_reviewed_by    TEXT   NOT NULL REFERENCES reviewers (name),
    end_asked_by        TEXT REFERENCES reviewers (name),
    ended_at_ms         BIGINT,
    ended_by            TEXT REFERENCES reviewers (name),
    PRIMARY KEY (id, revision)
);
CREATE UNIQUE INDEX rules_active ON rules (id) WHERE state = 'active';
CREATE UNIQUE INDEX rules_proposed ON rules (id) WHERE state = 'proposed';

-- How many lines a rule has let pass.
CREATE TABLE rule_uses (
    id   BIGINT NOT NULL PRIMARY KEY,
    uses BIGINT NOT NULL
);

-- Every policy that was ever in force, by the digest that decision statements name. Append-only.
CREATE TABLE policies (
    digest      TEXT   NOT NULL PRIMARY KEY,
    text        TEXT   NOT NULL,
    since_ms    BIGINT NOT NULL
);
CREATE TRIGGER policies_no_update BEFORE UPDATE ON policies
BEGIN SELECT RAISE(ABORT, 'policies are append-only'); END;
CREATE TRIGGER policies_no_delete BEFORE DELETE ON policies
BEGIN SELECT RAISE(ABORT, 'policies are append-only'); END;

-- Who has approved a submission that needs several people. Append-only.
CREATE TABLE approvals (
    submission TEXT   NOT NULL REFERENCES submissions (id),
    reviewer   TEXT   NOT NULL REFERENCES reviewers (name),
    comment    TEXT,
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (submission, reviewer)
);
CREATE TRIGGER approvals_no_update BEFORE UPDATE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;
CREATE TRIGGER approvals_no_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are append-only'); END;

-- Classes of targets. Unclassed ones count as high.
ALTER TABLE hosts ADD COLUMN class TEXT NOT NULL DEFAULT 'high';
ALTER TABLE enroll_tokens ADD COLUMN class TEXT NOT NULL DEFAULT 'high';

-- How many people must approve, and how that came about (JSON).
ALTER TABLE submissions ADD COLUMN people BIGINT NOT NULL DEFAULT 1;
ALTER TABLE submissions ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';

-- Score (0 to 100) and anomaly flags (a blank between each two) by which it was judged.
ALTER TABLE submissions ADD COLUMN score BIGINT;
ALTER TABLE submissions ADD COLUMN anomalies TEXT NOT NULL DEFAULT '';
