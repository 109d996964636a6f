-- Whose name it is: somebody with two names (two tokens) is one person where people are counted.
ALTER TABLE reviewers ADD COLUMN person TEXT NOT NULL DEFAULT '';
UPDATE reviewers SET person = name;
