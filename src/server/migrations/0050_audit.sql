-- What the analysis found of a command, whether or not anyone looked.
-- `found`: JSON; `programs`, `reached`: what it runs and talks to, JSON lists.
ALTER TABLE submissions ADD COLUMN found TEXT NOT NULL DEFAULT '';
ALTER TABLE submissions ADD COLUMN programs TEXT NOT NULL DEFAULT '[]';
ALTER TABLE submissions ADD COLUMN reached TEXT NOT NULL DEFAULT '[]';
CREATE INDEX submissions_of_agent ON submissions (host, agent, submitted_at_ms);

-- What agents have run and talked to: when first, and in which command.
CREATE TABLE agent_firsts (
    host       TEXT   NOT NULL REFERENCES hosts (id),
    agent      TEXT   NOT NULL,
    -- program, host.
    what       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL,
    submission TEXT   NOT NULL REFERENCES submissions (id),
    PRIMARY KEY (host, agent, what, name)
);

-- The anomaly flags of commands, the host's marks among them, for questions by flag and time.
CREATE TABLE submission_flags (
    flag            TEXT   NOT NULL,
    submitted_at_ms BIGINT NOT NULL,
    submission      TEXT   NOT NULL REFERENCES submissions (id),
    PRIMARY KEY (flag, submitted_at_ms, submission)
);
INSERT INTO submission_flags (flag, submitted_at_ms, submission)
SELECT f.flag, s.submitted_at_ms, s.id
FROM submissions s JOIN (
    SELECT 'external_network' AS flag UNION ALL SELECT 'credential_access' UNION ALL SELECT 'destructive_delete'
    UNION ALL SELECT 'exfiltration' UNION ALL SELECT 'high_velocity' UNION ALL SELECT 'off_hours'
    UNION ALL SELECT 'risk_spike' UNION ALL SELECT 'unusual_program' UNION ALL SELECT 'opaque_code'
    UNION ALL SELECT 'interactive_escape' UNION ALL SELECT 'display_spoof' UNION ALL SELECT 'retry_after_denial'
    UNION ALL SELECT 'gate_tamper'
) f ON ' ' || s.anomalies || ' ' || replace(s.flags, char(10), ' ') || ' ' LIKE '% ' || f.flag || ' %';
