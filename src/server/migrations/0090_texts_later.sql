-- A command is kept without its text being indexed: that costs more than all the
-- rest of it, and its host waits for the answer. The index is brought up to date
-- beside the requests, and before anybody searches.
CREATE TABLE texts_to_index (
    position INTEGER NOT NULL PRIMARY KEY
);

DROP TRIGGER submission_text_added;
CREATE TRIGGER submission_text_added AFTER INSERT ON submissions BEGIN
    INSERT INTO texts_to_index (position) VALUES (NEW.position);
END;

-- Only what is in an index can be taken out of it.
DROP TRIGGER submission_text_changed;
CREATE TRIGGER submission_text_changed AFTER UPDATE OF command ON submissions
WHEN OLD.command <> NEW.command AND OLD.position NOT IN (SELECT position FROM texts_to_index) BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_text (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = NEW.login;
    INSERT INTO submission_words (rowid, command, claimed)
    SELECT NEW.position, NEW.command, claimed FROM logins WHERE id = NEW.login;
END;
DROP TRIGGER submission_text_claims;
CREATE TRIGGER submission_text_claims AFTER UPDATE OF claimed ON logins WHEN OLD.claimed <> NEW.claimed BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', position, command, OLD.claimed FROM submissions
    WHERE session = NEW.session AND login = NEW.id AND position NOT IN (SELECT position FROM texts_to_index);
    INSERT INTO submission_text (rowid, command, claimed)
    SELECT position, command, NEW.claimed FROM submissions
    WHERE session = NEW.session AND login = NEW.id AND position NOT IN (SELECT position FROM texts_to_index);
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', position, command, OLD.claimed FROM submissions
    WHERE session = NEW.session AND login = NEW.id AND position NOT IN (SELECT position FROM texts_to_index);
    INSERT INTO submission_words (rowid, command, claimed)
    SELECT position, command, NEW.claimed FROM submissions
    WHERE session = NEW.session AND login = NEW.id AND position NOT IN (SELECT position FROM texts_to_index);
END;
DROP TRIGGER submission_text_gone;
CREATE TRIGGER submission_text_gone AFTER DELETE ON submissions
WHEN OLD.position NOT IN (SELECT position FROM texts_to_index) BEGIN
    INSERT INTO submission_text (submission_text, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = OLD.login;
    INSERT INTO submission_words (submission_words, rowid, command, claimed)
    SELECT 'delete', OLD.position, OLD.command, claimed FROM logins WHERE id = OLD.login;
END;
CREATE TRIGGER submission_text_never AFTER DELETE ON submissions
WHEN OLD.position IN (SELECT position FROM texts_to_index) BEGIN
    DELETE FROM texts_to_index WHERE position = OLD.position;
END;
