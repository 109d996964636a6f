-- Entries that belong to no login, most of which a part of a ledger needs. Few, and so is what this costs.
CREATE INDEX entries_of_host ON entries (host, seq) WHERE login IS NULL;
