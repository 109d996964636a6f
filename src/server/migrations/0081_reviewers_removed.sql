-- When a reviewer was removed. The name stays: the record names who decided, and nobody else shall get it.
ALTER TABLE reviewers ADD COLUMN removed_at_ms BIGINT;
