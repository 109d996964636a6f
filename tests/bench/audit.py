"""How long the questions of the audit take beside those on a hundredth of the rows.

audit.py PROGRAMS [ROWS]    p50 and p95 in ms over HTTP of each question, on ROWS (100,000) and on a hundredth of them

A few commands are held, decided and run for real; their rows are then multiplied in the service's database while it is
stopped: 40 agents, 20 sessions each, a command a second, outcomes, scores and flags in the shares named below. What is
multiplied has no entries behind it, so this measures the database and the API, not the ledger.
"""
import json, os, random, re, shutil, signal, sqlite3, subprocess, sys, tempfile, time, urllib.request

LINES = ["git status", "docker pull ghcr.io/myorg/api:1", "systemctl status nginx", "rm -rf /srv/cache", "ls -la /var/log"]
OUTCOMES = [("whitelisted", "whitelist_rule:1", 70), ("approved", "ops-lead", 20), ("denied", "ops-lead", 5),
            ("timed_out", "timeout", 3), ("blocked", "deny_rule:2", 2)]
FLAGS = [("first_use", 0.02), ("retry_after_denial", 0.005), ("off_hours", 0.01)]
AGENTS, ROUNDS, COPIED = 40, 40, 2000
QUESTIONS = {
    "newest 50": "limit=50",
    "newest 1000": "limit=1000",
    "an agent": "agent=agent-07",
    "a session": "session=agent-07-03",
    "a target since an hour before": "target=bench&since_ms={late}",
    "a text in one of 2,000": "text=needle-3",
    "a text in each": "text=status",
    "a text in none": "text=nothing-like-it",
    "two characters": "text=rm",
    "a prefix": "prefix=rm%20-rf",
    "risk 70 and more": "risk=70..",
    "denied, risk 25 and more": "decision=denied&risk=25..",
    "a rule": "rule=2",
    "a reviewer": "reviewer=ops-lead",
    "an anomaly": "anomaly=retry_after_denial",
    "two anomalies": "anomaly=retry_after_denial,off_hours",
    "an agent's denied in a day": "agent=agent-07&decision=denied&since_ms={day}",
    "a rare pair: agent and reviewer": "agent=agent-39&reviewer=ops-lead&risk=90..",
}


class Service:
    """The service on the state directory, until it is stopped."""

    def __init__(self, programs, state):
        command = [f"{programs}/countersign-server", "serve", "--plain", "--listen", "127.0.0.1:0", "--state", state]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(f"{state}.log", "a"), text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{command}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def first_rows(programs, work):
    """A service with a host that has run LINES; the token of its reviewer."""
    os.mkdir(f"{work}/service", 0o700), os.mkdir(f"{work}/host", 0o700)
    service = Service(programs, f"{work}/service")
    server, cli, hostd = (f"{programs}/{name}" for name in ("countersign-server", "countersign", "countersign-hostd"))
    reviewer = run(server, "reviewer", "add", "ops-lead", "--url", service.url, "--state", f"{work}/service")
    with open(os.open(f"{work}/reviewer.toml", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(reviewer)
    token = run(server, "enroll-token", "--name", "bench", "--state", f"{work}/service").strip()
    run(hostd, "enroll", "--trial", "--service", service.url, "--token", token, "--name", "bench", "--state", f"{work}/host")
    host = [hostd, "serve", "--trial", "--state", f"{work}/host", "--socket", f"{work}/socket"]
    host = subprocess.Popen(host, stdout=subprocess.PIPE, stderr=open(f"{work}/host.log", "w"), text=True)
    host.stdout.readline()
    for line in LINES:
        run(cli, "rules", "add", *(["--effect", "deny", "--pattern", "rm **"] if line.startswith("rm") else ["--exact", line]),
            "--config", f"{work}/reviewer.toml")
        subprocess.run([f"{programs}/countersign-sh", "--trial", "--socket", f"{work}/socket", "-c", line], capture_output=True, cwd=work)
    time.sleep(2)  # the last entries are shipped
    host.terminate(), host.wait(30), service.stop()
    return re.search(r'^token = "(.*)"', reviewer, re.M)[1]


def multiply(work, rows):
    """Fills the database up to so many commands, a second apart, the last of them now."""
    chance = random.Random(7)
    db = sqlite3.connect(f"{work}/service/service.db")
    columns = [row[1] for row in db.execute("PRAGMA table_info(submissions)")]
    models = [dict(zip(columns, row)) for row in db.execute("SELECT * FROM submissions WHERE decided_by IS NOT NULL LIMIT ?", (len(LINES),))]
    (there,) = db.execute("SELECT COUNT(*) FROM submissions").fetchone()
    named = {name for (name,) in db.execute("SELECT name FROM sessions")}
    begin = int(time.time() * 1000) - rows * 1000
    insert = f"INSERT INTO submissions ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"
    for number in range(there, rows):
        row = dict(chance.choice(models))
        agent = number % AGENTS
        session = f"agent-{agent:02}-{number // AGENTS % 20:02}"
        if session not in named:
            named.add(session)
            db.execute("INSERT INTO sessions (name, agent, host, source, number, opened_at_ms, last_at_ms) VALUES (?, ?, ?, '', ?, ?, ?)",
                       (session, f"agent-{agent:02}", row["host"], len(named), begin, begin))
        outcome, by, _ = chance.choices(OUTCOMES, [share for *_, share in OUTCOMES])[0]
        at, flags = begin + number * 1000, [flag for flag, share in FLAGS if chance.random() < share]
        row |= {"id": f"{number:025}0", "seq": 10_000_000 + number, "leaf": f"{number:042}A", "session": session, "number": number,
                "agent": f"agent-{agent:02}", "command": f"{row['command']} needle-{number % COPIED}", "submitted_at_ms": at,
                "position": at << 20, "outcome": outcome, "decided_by": by, "anomalies": " ".join(flags), "nonce": f"{number:021}A",
                "score": chance.choices([chance.randrange(25), chance.randrange(25, 70), chance.randrange(70, 101)], [80, 15, 5])[0]}
        db.execute(insert, [row[name] for name in columns])
        db.executemany("INSERT INTO submission_flags VALUES (?, ?)", [(flag, at << 20) for flag in flags])
        if by == "ops-lead":
            db.execute("INSERT INTO submission_reviewers VALUES (?, ?)", (by, at << 20))
    db.commit(), db.close()


def ask(services, token):
    """Of each question, for each service: its times in ms, and how many rows it had. The services take turns."""
    now = int(time.time() * 1000)
    took, found = {name: [[] for _ in services] for name in QUESTIONS}, {}
    for _ in range(ROUNDS):
        for name, question in QUESTIONS.items():
            question = question.format(late=now - 3_600_000, day=now - 86_400_000)
            for times, service in zip(took[name], services):
                request = urllib.request.Request(f"{service.url}/api/audit?{question}", headers={"Authorization": f"Bearer {token}"})
                began = time.monotonic_ns()
                body = urllib.request.urlopen(request).read()
                times.append((time.monotonic_ns() - began) / 1e6)
                found[name] = len(json.loads(body))
    return {name: ([sorted(times) for times in took[name]], found[name]) for name in QUESTIONS}


def main():
    programs, rows = os.path.realpath(sys.argv[1]), int((sys.argv[2:] or ["100000"])[0])
    work, services = tempfile.mkdtemp(prefix="audit-bench-"), []
    try:
        token = first_rows(programs, work)
        multiply(work, rows // 100)
        shutil.copytree(f"{work}/service", f"{work}/few")
        multiply(work, rows)
        services = [Service(programs, f"{work}/{state}") for state in ("few", "service")]
        answers = ask(services, token)
    finally:
        for service in services:
            service.stop()
        shutil.rmtree(work)
    print(f"| question | rows | p50 of {rows // 100:,} | p50 of {rows:,} | p95 of {rows:,} | ratio |\n|---|--:|--:|--:|--:|--:|")
    for name, ((few, many), found) in answers.items():
        floor, p50, p95 = few[len(few) // 2], many[len(many) // 2], many[int(len(many) * .95)]
        print(f"| {name} | {found} | {floor:.1f} | {p50:.1f} | {p95:.1f} | {p50 / floor:.1f} |")


main()
