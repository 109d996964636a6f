-- The right edge of the tree over each host's entries, up to what was cosigned.
CREATE TABLE host_trees (
    host  TEXT   NOT NULL PRIMARY KEY REFERENCES hosts (id),
    size  BIGINT NOT NULL,
    peaks TEXT   NOT NULL
);

-- Checkpoints of hosts that were cosigned: the leaves of the service's log, in
-- order of `log_index`. `note` is what the host signed. Append-only.
CREATE TABLE checkpoints (
    log_index BIGINT NOT NULL PRIMARY KEY,
    host      TEXT   NOT NULL REFERENCES hosts (id),
    size      BIGINT NOT NULL,
    root      TEXT   NOT NULL,
    note      TEXT   NOT NULL,
    time      BIGINT NOT NULL,
    UNIQUE (host, size)
);

-- Complete subtrees of the service's log. Append-only.
CREATE TABLE log_nodes (
    level BIGINT NOT NULL,
    idx   BIGINT NOT NULL,
    hash  TEXT   NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_no_replace BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE log_index = NEW.log_index OR (host = NEW.host AND size = NEW.size))
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

CREATE TRIGGER log_nodes_no_update BEFORE UPDATE ON log_nodes
BEGIN SELECT RAISE(ABORT, 'log_nodes are append-only'); END;
CREATE TRIGGER log_nodes_no_delete BEFORE DELETE ON log_nodes
BEGIN SELECT RAISE(ABORT, 'log_nodes are append-only'); END;
CREATE TRIGGER log_nodes_no_replace BEFORE INSERT ON log_nodes
WHEN EXISTS (SELECT 1 FROM log_nodes WHERE level = NEW.level AND idx = NEW.idx)
BEGIN SELECT RAISE(ABORT, 'log_nodes are append-only'); END;
