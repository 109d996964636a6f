-- What each new line is held against is read from the index alone: the scores of its work session, and
-- how fast its agent is.
DROP INDEX submissions_session;
CREATE INDEX submissions_session ON submissions (session, number, score);
DROP INDEX submissions_of_agent;
CREATE INDEX submissions_of_agent ON submissions (host, agent, submitted_at_ms, seq);
