-- Times are BIGINT: ms since 1970 (`_ms`) or as the host's ledger has them (`_us`).
-- Ids, digests and signatures are TEXT in their one spelling.
-- Only the triggers at the end are SQLite's own; PostgreSQL gets its own form of them.

CREATE TABLE service (
    id            TEXT   NOT NULL PRIMARY KEY,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE hosts (
    id             TEXT   NOT NULL PRIMARY KEY,
    name           TEXT   NOT NULL UNIQUE,
    public_key     TEXT   NOT NULL UNIQUE,
    token_hash     TEXT   NOT NULL UNIQUE,
    enrolled_at_ms BIGINT NOT NULL
);

CREATE TABLE enroll_tokens (
    token_hash    TEXT   NOT NULL PRIMARY KEY,
    host_name     TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    used_at_ms    BIGINT,
    used_by       TEXT REFERENCES hosts (id)
);

CREATE TABLE reviewers (
    name        TEXT   NOT NULL PRIMARY KEY,
    token_hash  TEXT   NOT NULL UNIQUE,
    builtin     BIGINT NOT NULL,
    added_at_ms BIGINT NOT NULL
);

-- What hosts wrote, byte for byte. Append-only.
CREATE TABLE entries (
    host           TEXT   NOT NULL REFERENCES hosts (id),
    seq            BIGINT NOT NULL,
    leaf           TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    login          TEXT,
    at_us          BIGINT NOT NULL,
    line           TEXT   NOT NULL,
    received_at_ms BIGINT NOT NULL,
    PRIMARY KEY (host, seq)
);
CREATE UNIQUE INDEX entries_leaf ON entries (leaf);
CREATE INDEX entries_login ON entries (login, seq);

-- A host signed two histories: both lines. Append-only.
CREATE TABLE forks (
    host        TEXT   NOT NULL REFERENCES hosts (id),
    seq         BIGINT NOT NULL,
    held_line   TEXT   NOT NULL,
    other_leaf  TEXT   NOT NULL,
    other_line  TEXT   NOT NULL,
    seen_at_ms  BIGINT NOT NULL,
    PRIMARY KEY (host, seq, other_leaf)
);

CREATE TABLE sessions (
    name         TEXT   NOT NULL PRIMARY KEY,
    agent        TEXT   NOT NULL,
    host         TEXT   NOT NULL REFERENCES hosts (id),
    source       TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    opened_at_ms BIGINT NOT NULL,
    last_at_ms   BIGINT NOT NULL,
    UNIQUE (agent, number)
);
CREATE INDEX sessions_credential ON sessions (agent, host, source, last_at_ms);
CREATE INDEX sessions_time ON sessions (opened_at_ms);

CREATE TABLE logins (
    id              TEXT   NOT NULL PRIMARY KEY,
    host            TEXT   NOT NULL REFERENCES hosts (id),
    session         TEXT   NOT NULL REFERENCES sessions (name),
    agent           TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    tty             BIGINT NOT NULL,
    opened_at_ms    BIGINT NOT NULL,
    closed_at_ms    BIGINT,
    close_why       TEXT,
    refused         TEXT,
    recording_bytes BIGINT,
    -- JSON as the host wrote it; what the agent states is never verified, an identity always is.
    claimed         TEXT   NOT NULL,
    claimed_error   TEXT,
    identity        TEXT
);
CREATE INDEX logins_session ON logins (session, opened_at_ms);

CREATE TABLE submissions (
    id              TEXT   NOT NULL PRIMARY KEY,
    host            TEXT   NOT NULL REFERENCES hosts (id),
    seq             BIGINT NOT NULL,
    leaf            TEXT   NOT NULL,
    login           TEXT   NOT NULL REFERENCES logins (id),
    session         TEXT   NOT NULL REFERENCES sessions (name),
    number          BIGINT NOT NULL,
    agent           TEXT   NOT NULL,
    command         TEXT   NOT NULL,
    wholly_visible  BIGINT NOT NULL,
    cwd             TEXT   NOT NULL,
    shell           TEXT   NOT NULL,
    tty             BIGINT NOT NULL,
    -- NAME=value, a line each.
    locale          TEXT   NOT NULL,
    -- Marks of the host, a line each.
    flags           TEXT   NOT NULL,
    -- Only a person may let it run.
    needs_person    BIGINT NOT NULL,
    transfer        TEXT,
    -- The program on its standard input.
    program         TEXT,
    program_bytes   BIGINT,
    program_digest  TEXT,
    -- JSON as the host wrote it.
    context         TEXT   NOT NULL,
    -- Whether the host knew every program it starts: else no rule speaks for it.
    words_known     BIGINT NOT NULL,
    nonce           TEXT   NOT NULL,
    wait_ms         BIGINT NOT NULL,
    submitted_at_ms BIGINT NOT NULL,
    -- Set when the host asks (POST /api/submissions); an entry alone asks nobody.
    asked_at_ms     BIGINT,
    deadline_ms     BIGINT,
    -- What the host's own ledger says became of it.
    outcome         TEXT,
    outcome_at_ms   BIGINT,
    decided_by      TEXT,
    latency_ms      BIGINT,
    reason          TEXT,
    why             TEXT,
    started_at_ms   BIGINT,
    finished_at_ms  BIGINT,
    finish          TEXT,
    exit_code       BIGINT,
    signal          BIGINT,
    UNIQUE (host, seq)
);
CREATE INDEX submissions_time ON submissions (submitted_at_ms);
CREATE INDEX submissions_agent ON submissions (agent, submitted_at_ms);
CREATE INDEX submissions_session ON submissions (session, number);
CREATE INDEX submissions_outcome ON submissions (outcome, submitted_at_ms);
CREATE INDEX submissions_decider ON submissions (decided_by, submitted_at_ms);
CREATE INDEX submissions_waiting ON submissions (deadline_ms) WHERE outcome IS NULL AND deadline_ms IS NOT NULL;

-- What this service signed: one per submission, first wins. Append-only.
CREATE TABLE decisions (
    submission    TEXT   NOT NULL PRIMARY KEY REFERENCES submissions (id),
    choice        TEXT   NOT NULL,
    decided_by    TEXT   NOT NULL,
    statement     TEXT   NOT NULL,
    sig           TEXT   NOT NULL,
    comment       TEXT,
    -- What reviewers have signed themselves, a JSON list.
    reviews         TEXT   NOT NULL,
    decided_at_ms BIGINT NOT NULL
);

CREATE TABLE rules (
    id                  BIGINT NOT NULL PRIMARY KEY,
    line                TEXT   NOT NULL,
    shell               TEXT   NOT NULL,
    on_terminal         BIGINT NOT NULL,
    added_by            TEXT   NOT NULL REFERENCES reviewers (name),
    added_at_ms         BIGINT NOT NULL,
    last_reviewed_at_ms BIGINT NOT NULL,
    last_reviewed_by    TEXT   NOT NULL REFERENCES reviewers (name),
    UNIQUE (line, shell)
);

-- `held`: bytes on disk. `verified`: of these, how many lie in whole chunks
-- whose digest was checked. `announced`: the end of the last announced chunk.
CREATE TABLE recordings (
    login     TEXT   NOT NULL PRIMARY KEY REFERENCES logins (id),
    host      TEXT   NOT NULL REFERENCES hosts (id),
    announced BIGINT NOT NULL,
    held      BIGINT NOT NULL,
    verified  BIGINT NOT NULL
);

CREATE TABLE recording_chunks (
    login      TEXT   NOT NULL REFERENCES recordings (login),
    number     BIGINT NOT NULL,
    start_byte BIGINT NOT NULL,
    length     BIGINT NOT NULL,
    digest     TEXT   NOT NULL,
    PRIMARY KEY (login, number)
);
CREATE INDEX recordings_host ON recordings (host);
CREATE INDEX recording_chunks_start ON recording_chunks (login, start_byte);

-- REPLACE would delete without firing delete triggers, so a second insert under
-- the same key is refused before the conflict is resolved.
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE (host = NEW.host AND seq = NEW.seq) OR leaf = NEW.leaf)
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

CREATE TRIGGER decisions_no_update BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_no_delete BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_no_replace BEFORE INSERT ON decisions
WHEN EXISTS (SELECT 1 FROM decisions WHERE submission = NEW.submission)
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;

CREATE TRIGGER forks_no_update BEFORE UPDATE ON forks
BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;
CREATE TRIGGER forks_no_delete BEFORE DELETE ON forks
BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;
CREATE TRIGGER forks_no_replace BEFORE INSERT ON forks
WHEN EXISTS (SELECT 1 FROM forks WHERE host = NEW.host AND seq = NEW.seq AND other_leaf = NEW.other_leaf)
BEGIN SELECT RAISE(ABORT, 'forks are append-only'); END;

-- What reviewers have signed themselves: one review of each person for a submission.
CREATE TABLE reviews (
    submission     TEXT   NOT NULL REFERENCES submissions (id),
    reviewer       TEXT   NOT NULL,
    statement      TEXT   NOT NULL,
    sig            TEXT   NOT NULL,
    received_at_ms BIGINT NOT NULL,
    PRIMARY KEY (submission, reviewer)
);
