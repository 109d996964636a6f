-- A token for a host that has lost its identity key; it is to enrol anew, under another id.
ALTER TABLE enroll_tokens ADD COLUMN lost TEXT REFERENCES hosts (id);
-- The host whose place this one took. No two take the same.
ALTER TABLE hosts ADD COLUMN replaces TEXT REFERENCES hosts (id);
CREATE UNIQUE INDEX hosts_replaces ON hosts (replaces);
