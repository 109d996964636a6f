-- Keys of hosts that sign from `first_seq` on, as their key_rotated entries certify.
CREATE TABLE host_epochs (
    host        TEXT   NOT NULL REFERENCES hosts (id),
    first_seq   BIGINT NOT NULL,
    public_key  TEXT   NOT NULL,
    by_identity BIGINT NOT NULL,
    PRIMARY KEY (host, first_seq)
);
