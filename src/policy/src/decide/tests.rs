use super::*;
use crate::rule::Body;
use crate::settings::Settings;
use crate::{Kind, Target};
use countersign_core::Name;

const DAY_MS: i64 = 86_400_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn host(number: u8) -> HostId {
    HostId::from_random([number; 16])
}

fn body(toml: &str) -> Body {
    toml::from_str(toml).unwrap()
}

fn rule(id: u64, toml: &str) -> Rule {
    Rule::check(id, Kind::Standing, name("ops"), name("lead"), body(toml), Some(0)).unwrap()
}

fn policy(rules: &[&str]) -> Policy {
    let mut policy = Policy::new(Settings::default()).unwrap();
    for (class, number) in [(Class::Critical, 1), (Class::High, 2), (Class::Medium, 3), (Class::Low, 4)] {
        policy.set_target(Target { host: host(number), name: name(&format!("{class}-1")), class });
    }
    for (id, toml) in (1..).zip(rules) {
        policy.add(rule(id, toml)).unwrap();
    }
    policy
}

/// A question with everything as usual; tests change what they are about.
#[derive(Clone)]
struct Question {
    line: String,
    shell: &'static str,
    terminal: bool,
    agent: &'static str,
    host: u8,
    session: &'static str,
    cwd: &'static str,
    words_known: bool,
    hidden: bool,
    score: Option<u8>,
    anomalies: Vec<String>,
    secrets: Vec<String>,
    at_ms: i64,
    used: u64,
}

fn ask(line: &str) -> Question {
    Question {
        line: line.to_owned(),
        shell: "bash",
        terminal: false,
        agent: "deploy-agent",
        host: 2,
        session: "deploy-agent-01",
        cwd: "/srv/app",
        words_known: true,
        hidden: false,
        score: Some(0),
        anomalies: Vec::new(),
        secrets: Vec::new(),
        at_ms: 0,
        used: 0,
    }
}

fn verdict(policy: &Policy, q: &Question) -> Verdict {
    let text = CommandText::parse(q.line.as_bytes()).unwrap();
    let reading = Reading::of(&q.line, q.shell, Some(q.cwd));
    let asked = Asked {
        whole: (!q.hidden).then_some(&text),
        shell: q.shell,
        terminal: q.terminal,
        agent: q.agent,
        host: host(q.host),
        session: q.session,
        cwd: q.cwd,
        words_known: q.words_known,
    };
    let facts = Facts { reading: &reading, score: q.score, anomalies: &q.anomalies, secrets: &q.secrets };
    policy.decide(&asked, &facts, &Now { at_ms: q.at_ms, uses: &|_| q.used })
}

/// What comes out, as one word: the decider, `block:N` or `ask:N`.
fn word(policy: &Policy, q: &Question) -> String {
    match verdict(policy, q).ruling {
        Ruling::Pass(passed) => passed.by().to_string(),
        Ruling::Block { rule } => format!("block:{rule}"),
        Ruling::Ask { people } => format!("ask:{people}"),
    }
}

/// What a client does in an sftp session, or pushes, stands in no line: its score of 0 lets nothing pass. A rule does.
#[test]
fn no_threshold_speaks_for_a_transfer_that_its_line_does_not_tell() {
    let read_only = "/usr/lib/openssh/sftp-server -e -l INFO -R";
    let policy = policy(&[&format!("exact = \"{read_only}\"")]);
    let low = |line: &str| Question { host: 4, ..ask(line) };
    for line in ["/usr/lib/openssh/sftp-server -e -l INFO", "git-receive-pack '/srv/x.git'"] {
        let verdict = verdict(&policy, &low(line));
        assert_eq!(verdict.ruling, Ruling::Ask { people: 1 }, "{line}");
        let steps: Vec<&str> = verdict.steps.iter().filter(|step| step.found == UNTOLD).map(|step| step.step).collect();
        assert_eq!(steps, ["risk", "threshold"], "{line}");
    }
    assert_eq!(word(&policy, &low(read_only)), "whitelist_rule:1");
    assert_eq!(word(&super::tests::policy(&[]), &low(read_only)), "ask:1");
    assert_eq!(word(&policy, &low("git-upload-pack '/srv/x.git'")), "threshold:low");
}

/// Whatever it sends: also what no pattern could be matched on, and what a rule or a threshold would let pass.
#[test]
fn a_rule_stops_one_agent() {
    let lines = ["uptime", "x=1", ">f", "$(", "case x in", "⏎", "# nothing", "/usr/lib/openssh/sftp-server -R"];
    for (effect, want) in [("deny", "block:2"), ("ask", "ask:1")] {
        let policy = policy(&["exact = \"uptime\"", &format!("effect = \"{effect}\"\nagents = [\"deploy-*\"]")]);
        for line in lines {
            for shell in ["bash", "fish"] {
                for (terminal, hidden) in [(false, false), (true, false), (false, true)] {
                    let asked = Question { shell, terminal, hidden, host: 4, ..ask(line) };
                    assert_eq!(word(&policy, &asked), want, "{line} {shell} {terminal} {hidden}");
                }
            }
        }
        assert_eq!(word(&policy, &Question { agent: "build", ..ask("uptime") }), "whitelist_rule:1");
    }
    // Whoever forgets the agent stops nobody.
    for bad in ["effect = \"deny\"", "effect = \"deny\"\ntargets = [\"web-1\"]", "agents = [\"deploy\"]"] {
        let why = Rule::check(1, Kind::Standing, name("ops"), name("lead"), body(bad), Some(0)).unwrap_err();
        assert!(why.to_string().contains("names nothing"), "{bad}: {why}");
    }
}

#[test]
fn exact_lines_pass_as_they_stand_and_nothing_near_them() {
    let policy = policy(&[
        "exact = \"ls -l /srv\"",
        "exact = \"uptime\"\nshell = \"fish\"",
        "exact = \"id\"\non_terminal = true",
    ]);
    assert_eq!(word(&policy, &ask("ls -l /srv")), "whitelist_rule:1");
    for other in ["ls  -l /srv", "ls -l /srv ", " ls -l /srv", "ls -l /srv\n", "ls -l /srv;id", "LS -l /srv", "ls"] {
        assert_eq!(word(&policy, &ask(other)), "ask:1", "{other:?}");
    }
    assert_eq!(word(&policy, &Question { hidden: true, ..ask("ls -l /srv") }), "ask:1");
    assert_eq!(word(&policy, &Question { terminal: true, ..ask("ls -l /srv") }), "ask:1");
    assert_eq!(word(&policy, &Question { terminal: true, ..ask("id") }), "whitelist_rule:3");
    assert_eq!(word(&policy, &ask("uptime")), "ask:1");
    assert_eq!(word(&policy, &Question { shell: "fish", ..ask("uptime") }), "whitelist_rule:2");
    assert_eq!(word(&policy, &Question { shell: "tcsh", ..ask("ls -l /srv") }), "ask:1");
}

#[test]
fn every_command_of_a_line_must_match_a_rule() {
    let policy = policy(&[
        "patterns = [\"git status\"]",
        "patterns = [\"ls **\", \"wc -l\"]",
        "patterns = [\"sudo systemctl status *\"]",
        "patterns = [\"make all\"]\nwrites = [\"/srv/logs/*\"]\nassignments = [\"RAILS_ENV=production\"]",
    ]);
    for (line, by) in [
        ("git status", 1),
        ("git  'status'", 1),
        ("git status && ls -l /srv", 1),
        ("ls /srv | wc -l", 2),
        ("ls; git status", 2),
        ("bash -c 'git status; ls'", 1),
        ("timeout 5 git status", 1),
        ("timeout -k 1s 5m nice -n 5 ls", 2),
        ("nohup git status >/dev/null 2>&1", 1),
        ("sudo systemctl status nginx", 3),
        ("RAILS_ENV=production make all > /srv/logs/a.log", 4),
    ] {
        assert_eq!(word(&policy, &ask(line)), format!("whitelist_rule:{by}"), "{line}");
    }
    for line in [
        "git status; id",
        "git status | id",
        "git status && id",
        "git status || id",
        "git status &",
        "git status\nid",
        "sudo git status",
        "env git status",
        "xargs git status",
        "ls | xargs git status",
        "systemctl status nginx",
        "sudo systemctl status nginx extra",
        "sudo systemctl status -H evil",
        "git status > /srv/x",
        "FOO=1 git status",
        "PATH=/tmp git status",
        "RAILS_ENV=test make all",
        "make all > /etc/x",
        "make all > /srv/logs/../x",
        "make all > /srv/logs/a/b",
        "bash -c 'git status; id'",
        "bash -c \"git status $X\"",
        "bash -xc 'git status'",
        "bash -c 'git status' x",
        "FOO=1 bash -c 'git status'",
        "bash -c 'git status' >/srv/x",
        "timeout id git status",
        "timeout --x 5 git status",
        "nice -n x git status",
        "/tmp/git status",
        "./git status",
        "git status $(id)",
        "ls \"$(id)\"",
        "ls <(id)",
        "ls `id`",
        "ls $X",
        "ls *",
        "ls {a,b}",
        "ls ~",
        "(git status)",
        "if true; then git status; fi",
        "git() { id; }; git status",
        "alias git=id; git status",
        "eval git status",
        "cd /evil; git status",
        "! git status",
        "time git status",
        "git status # x",
        "git statuś",
        "git\u{a0}status",
    ] {
        assert_eq!(word(&policy, &ask(line)), "ask:1", "{line}");
    }
}

#[test]
fn deny_rules_come_first_and_read_widely() {
    let policy = policy(&[
        "exact = \"rm -rf /srv/x\"",
        "effect = \"deny\"\npatterns = [\"rm **\"]\nmatch = [\"rm x\"]\nno_match = [\"ls\"]",
        "effect = \"deny\"\nsecrets = [\"aws_access_key\"]",
        "effect = \"ask\"\nanomalies = [\"off_hours\"]",
        "effect = \"ask\"\npatterns = [\"ls /secret\"]",
        "patterns = [\"ls **\"]",
    ]);
    assert_eq!(word(&policy, &ask("rm -rf /srv/x")), "block:2");
    assert_eq!(word(&policy, &ask("/bin/rm x")), "block:2");
    assert_eq!(word(&policy, &ask("ls; rm x")), "block:2");
    assert_eq!(word(&policy, &Question { hidden: true, ..ask("rm x") }), "block:2");
    assert_eq!(word(&policy, &ask("ls -l")), "whitelist_rule:6");
    assert_eq!(word(&policy, &ask("ls /secret")), "ask:1");
    let with_key = Question { secrets: vec!["aws_access_key".to_owned()], ..ask("ls -l") };
    assert_eq!(word(&policy, &with_key), "block:3");
    let other_key = Question { secrets: vec!["email".to_owned()], ..ask("ls -l") };
    assert_eq!(word(&policy, &other_key), "whitelist_rule:6");
    let late = Question { anomalies: vec!["off_hours".to_owned()], ..ask("ls -l") };
    assert_eq!(word(&policy, &late), "ask:1");
}

#[test]
fn risk_and_anomalies_bring_a_person_whatever_the_whitelist_says() {
    let policy = policy(&["patterns = [\"ls **\"]"]);
    for (target, score, want) in [
        (1, 24, "whitelist_rule:1"),
        (1, 25, "ask:2"),
        (2, 49, "whitelist_rule:1"),
        (2, 50, "ask:1"),
        (2, 75, "ask:2"),
        (3, 50, "ask:1"),
        (4, 74, "whitelist_rule:1"),
        (4, 75, "ask:2"),
        (9, 49, "whitelist_rule:1"),
        (9, 50, "ask:1"),
    ] {
        let q = Question { host: target, score: Some(score), ..ask("ls") };
        assert_eq!(word(&policy, &q), want, "{target} {score}");
    }
    for flag in ["display_spoof", "gate_tamper", "opaque_code"] {
        let q = Question { anomalies: vec![flag.to_owned()], ..ask("ls") };
        assert_eq!(word(&policy, &q), "ask:1", "{flag}");
    }
    for flag in ["high_velocity", "interactive_escape"] {
        let q = Question { anomalies: vec![flag.to_owned()], ..ask("ls") };
        assert_eq!(word(&policy, &q), "whitelist_rule:1", "{flag}");
    }
}

#[test]
fn a_class_lets_pass_what_is_under_its_threshold() {
    let policy = policy(&[]);
    for (target, score, want) in [
        (1, Some(0), "ask:2"),
        (2, Some(0), "ask:1"),
        (9, Some(0), "ask:1"),
        (3, Some(24), "threshold:medium"),
        (3, Some(25), "ask:1"),
        (3, None, "ask:1"),
        (4, Some(49), "threshold:low"),
        (4, Some(50), "ask:1"),
    ] {
        let q = Question { host: target, score, ..ask("mytool x") };
        assert_eq!(word(&policy, &q), want, "{target} {score:?}");
    }
    let low = Question { host: 4, ..ask("mytool x") };
    for (what, q) in [
        ("terminal", Question { terminal: true, ..low.clone() }),
        ("hidden", Question { hidden: true, ..low.clone() }),
        ("shell", Question { shell: "fish", ..low.clone() }),
        ("anomaly", Question { anomalies: vec!["unusual_program".to_owned(), "risk_spike".to_owned()], ..low.clone() }),
        ("secret", Question { secrets: vec!["email".to_owned()], ..low.clone() }),
        ("unparsed", Question { line: "ls ((".to_owned(), ..low.clone() }),
        ("code", Question { line: "perl -e 'open F,q(x|)'".to_owned(), ..low.clone() }),
        ("dash runs it", Question { line: "sh -c '((rm -rf x))'".to_owned(), ..low.clone() }),
    ] {
        assert_eq!(word(&policy, &q), "ask:1", "{what}");
    }
    // Every agent's first line would wait for a person.
    let first = Question { anomalies: vec!["unusual_program".to_owned()], ..low };
    assert_eq!(word(&policy, &first), "threshold:low");
}

#[test]
fn scopes_hours_expiry_and_uses_bound_a_rule() {
    let policy = policy(&[r#"
patterns = ["ls **"]
agents = ["deploy-*"]
targets = ["high-*"]
classes = ["high"]
cwd = ["/srv/app"]
uses = 3
expires = "1970-01-08"
schedule = { days = "mon-fri", from = "09:00", until = "17:00", zone = "UTC" }
"#]);
    // 1970-01-01 was a Thursday.
    let good = Question { at_ms: 10 * 3_600_000, used: 2, cwd: "/srv/app/sub", ..ask("ls -l") };
    assert_eq!(word(&policy, &good), "whitelist_rule:1");
    for (what, q) in [
        ("agent", Question { agent: "data-agent", ..good.clone() }),
        ("target", Question { host: 3, score: Some(30), ..good.clone() }),
        ("unknown target", Question { host: 9, ..good.clone() }),
        ("cwd", Question { cwd: "/srv/apples", ..good.clone() }),
        ("words", Question { words_known: false, ..good.clone() }),
        ("cwd climbs", Question { cwd: "/srv/app/../x", ..good.clone() }),
        ("cwd left", Question { line: "cd /x; ls".to_owned(), ..good.clone() }),
        ("used up", Question { used: 3, ..good.clone() }),
        ("early", Question { at_ms: 8 * 3_600_000, ..good.clone() }),
        ("weekend", Question { at_ms: 2 * DAY_MS + 10 * 3_600_000, ..good.clone() }),
        ("expired", Question { at_ms: 7 * DAY_MS + 10 * 3_600_000, ..good.clone() }),
    ] {
        assert_eq!(word(&policy, &q), "ask:1", "{what}");
    }
    let why = verdict(&policy, &Question { used: 3, ..good }).steps;
    assert!(why.iter().any(|step| step.found == "rule 1 is used up"), "{why:?}");
}

#[test]
fn business_hours_bring_a_person() {
    let hours = vec![
        toml::from_str("agents = [\"deploy-*\"]\nschedule = { days = \"thu\", from = \"09:00\", until = \"17:00\", zone = \"UTC\" }")
            .unwrap(),
    ];
    let mut policy = Policy::new(Settings { hours, ..Settings::default() }).unwrap();
    policy.add(rule(1, "patterns = [\"ls **\"]")).unwrap();
    assert_eq!(word(&policy, &Question { at_ms: 10 * 3_600_000, ..ask("ls") }), "whitelist_rule:1");
    assert_eq!(word(&policy, &Question { at_ms: 3_600_000, ..ask("ls") }), "ask:1");
    assert_eq!(word(&policy, &Question { agent: "other", at_ms: 3_600_000, ..ask("ls") }), "whitelist_rule:1");
}

#[test]
fn a_grant_is_bounded_and_says_that_it_was_one() {
    let written = "patterns = [\"git status\"]\nagents = [\"deploy-agent\"]\ntargets = [\"high-1\"]\nsession = \"deploy-agent-01\"\nuses = 2\nexpires = \"1970-01-01T00:15:00Z\"";
    let granted = |toml: &str, now| Rule::check(7, Kind::Grant, name("ops"), name("ops"), body(toml), Some(now));
    let mut policy = policy(&["patterns = [\"ls **\"]"]);
    policy.add(granted(written, 0).unwrap()).unwrap();
    assert_eq!(word(&policy, &ask("git status")), "grant:7");
    assert_eq!(word(&policy, &ask("ls; git status")), "grant:7");
    assert_eq!(word(&policy, &ask("ls")), "whitelist_rule:1");
    for q in [
        Question { session: "deploy-agent-02", ..ask("git status") },
        Question { agent: "x", ..ask("git status") },
        Question { host: 3, score: Some(30), ..ask("git status") },
        Question { used: 2, ..ask("git status") },
        Question { at_ms: 15 * 60_000, ..ask("git status") },
        Question { score: Some(50), ..ask("git status") },
    ] {
        assert_eq!(word(&policy, &q), "ask:1");
    }
    assert!(granted(written, 16 * 60_000).is_err(), "over before it began");
    assert!(granted(written, -2 * DAY_MS).is_err(), "longer than a day");
    for (from, to) in [
        ("\"deploy-agent\"", "\"*\""),
        ("uses = 2\n", ""),
        ("uses = 2", "uses = 100000"),
        ("targets = [\"high-1\"]\n", ""),
    ] {
        assert!(granted(&written.replace(from, to), 0).is_err(), "{to}");
    }
}

#[test]
fn the_text_is_one_spelling_and_reads_back_as_the_same_policy() {
    let a = policy(&["exact = \"a\\nrule {}\"", "effect = \"deny\"\npatterns = [\"rm **\"]"]);
    let text = a.canonical_text();
    let analyzer = format!("analyzer {}\n", countersign_analysis::VERSION);
    assert!(text.starts_with(&format!("cs-policy3\n{analyzer}settings {{")), "{text}");
    let again = Policy::from_canonical(&text).unwrap();
    assert_eq!(again.canonical_text(), text);
    assert_eq!(word(&again, &ask("rm x")), "block:2");
    for broken in [
        text.replace("cs-policy3", "cs-policy2"),
        text.replace("analyzer ", "analyzer 0"),
        text.replace(&analyzer, ""),
        text.replace("\"author\":\"ops\"", "\"author\" :\"ops\""),
        text.replace("rule {", "rule  {"),
        format!("{text}rule {{}}\n"),
        text.replace("\"effect\":\"deny\"", "\"effect\":\"permit\""),
        text.trim_end().to_owned(),
        String::new(),
    ] {
        assert!(Policy::from_canonical(&broken).is_err(), "{broken}");
    }
}

#[test]
fn one_rule_per_number_and_line() {
    let mut policy = policy(&["exact = \"uptime\""]);
    assert!(policy.add(rule(2, "exact = \"uptime\"")).is_err());
    assert!(policy.add(rule(1, "exact = \"id\"")).is_err());
    assert!(policy.add(rule(2, "exact = \"uptime\"\nshell = \"dash\"")).is_ok());
}
