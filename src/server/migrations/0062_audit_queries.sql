-- What the audit is asked by, each with an index that is already in the order of the answer.
--
-- `position` is a command's place in the order of time, one number for one command:
-- ms since 1970 by its host's clock, times 2^20, and within one ms in order of arrival.
ALTER TABLE submissions ADD COLUMN position BIGINT;
-- Who is behind its login, where sshd verified that.
ALTER TABLE submissions ADD COLUMN user TEXT;
-- Who was asked, a blank between each two.
ALTER TABLE submissions ADD COLUMN asked TEXT NOT NULL DEFAULT '';

UPDATE submissions SET position = p.position, user = p.user FROM (
    SELECT s.id, min(max(s.submitted_at_ms, 0), 8796093022207) * 1048576
        + row_number() OVER (PARTITION BY s.submitted_at_ms ORDER BY s.rowid) - 1 AS position,
        CASE WHEN json_valid(l.identity) THEN json_extract(l.identity, '$.user') END AS user
    FROM submissions s JOIN logins l ON l.id = s.login
) p WHERE p.id = submissions.id;

DROP INDEX submissions_time;
DROP INDEX submissions_agent;
DROP INDEX submissions_outcome;
DROP INDEX submissions_decider;
CREATE UNIQUE INDEX submissions_position ON submissions (position);
CREATE INDEX submissions_agent ON submissions (agent, position);
CREATE INDEX submissions_user ON submissions (user, position) WHERE user IS NOT NULL;
CREATE INDEX submissions_target ON submissions (host, position);
CREATE INDEX submissions_decider ON submissions (decided_by, position);
CREATE INDEX submissions_outcome ON submissions (outcome, position);
CREATE INDEX submissions_risk ON submissions (score, position);
CREATE INDEX submissions_outcome_risk ON submissions (outcome, score, position);

-- Flags by the same order.
CREATE TABLE flagged (
    flag     TEXT   NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (flag, position)
) WITHOUT ROWID;
INSERT INTO flagged (flag, position)
SELECT f.flag, s.position FROM submission_flags f JOIN submissions s ON s.id = f.submission;
DROP TABLE submission_flags;
ALTER TABLE flagged RENAME TO submission_flags;

-- People who decided a command, alone or with others.
CREATE TABLE submission_reviewers (
    reviewer TEXT   NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (reviewer, position)
) WITHOUT ROWID;
INSERT INTO submission_reviewers (reviewer, position)
SELECT decided_by, position FROM submissions
WHERE decided_by IS NOT NULL AND decided_by <> 'timeout' AND instr(decided_by, ':') = 0
UNION SELECT a.reviewer, s.position FROM approvals a JOIN submissions s ON s.id = a.submission;

-- Text. Trigrams find a text of three characters or more wherever it stands,
-- words one of one or two where a word begins. Neither keeps the text itself.
CREATE VIRTUAL TABLE submission_text USING fts5(
    command, claimed, content='', tokenize='trigram'
);
CREATE VIRTUAL TABLE submission_words USING fts5(
    command, claimed, content='', tokenize='unicode61', prefix='1 2'
);
-- What is taken out leaves no word behind.
INSERT INTO submission_text (submission_text, rank) VALUES ('secure-delete', 1);
INSERT INTO submission_words (submission_words, rank) VALUES ('secure-delete', 1);
INSERT INTO submission_text (rowid, command, claimed)
SELECT s.position, s.command, l.claimed FROM submissions s JOIN logins l ON l.id = s.login;
INSERT INTO submission_words (rowid, command, claimed)
SELECT s.position, s.command, l.claimed FROM submissions s JOIN logins l ON l.id = s.login;

-- They follow whatever becomes of the text: what is erased is not found any more.
CREATE TRIGGER submission_text_added AFTER INSERT ON submissions BEGIN
    INSERT INTO submission_text (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_words (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
END;
CREATE TRIGGER submission_text_changed AFTER UPDATE OF command ON submissions WHEN OLD.command <> NEW.command BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_text (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_words (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
END;
CREATE TRIGGER submission_text_claims AFTER UPDATE OF claimed ON logins WHEN OLD.claimed <> NEW.claimed BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', position, command, OLD.claimed FROM submissions WHERE session = NEW.session AND login = NEW.id;
    INSERT INTO submission_text (rowid, command, claimed)
    SELECT position, command, NEW.claimed FROM submissions WHERE session = NEW.session AND login = NEW.id;
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', position, command, OLD.claimed FROM submissions WHERE session = NEW.session AND login = NEW.id;
    INSERT INTO submission_words (rowid, command, claimed)
    SELECT position, command, NEW.claimed FROM submissions WHERE session = NEW.session AND login = NEW.id;
END;
CREATE TRIGGER submission_text_gone AFTER DELETE ON submissions BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = OLD.login;
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = OLD.login;
END;
CREATE TRIGGER submission_user_gone AFTER UPDATE OF identity ON logins WHEN OLD.identity IS NOT NEW.identity BEGIN
    UPDATE submissions SET user = CASE WHEN json_valid(NEW.identity) THEN json_extract(NEW.identity, '$.user') END
    WHERE session = NEW.session AND login = NEW.id;
END;

-- To whom a command was shown while it waited, and when first.
CREATE TABLE submission_shown (
    submission TEXT   NOT NULL REFERENCES submissions (id),
    reviewer   TEXT   NOT NULL REFERENCES reviewers (name),
    at_ms      BIGINT NOT NULL,
    PRIMARY KEY (submission, reviewer)
) WITHOUT ROWID;

-- When the text of a rule was looked at: a row of the audit says when that was last, as of its decision.
CREATE TABLE rule_reviews (
    rule     BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    reviewer TEXT   NOT NULL REFERENCES reviewers (name)
);
CREATE INDEX rule_reviews_rule ON rule_reviews (rule, revision, at_ms);
INSERT INTO rule_reviews (rule, revision, at_ms, reviewer)
SELECT id, revision, last_reviewed_at_ms, last_reviewed_by FROM rules;
