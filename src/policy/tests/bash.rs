//! The four rules that must never pass anything else, against bash itself:
//! whatever passes is run with stubs, and nothing but what the rules name may run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy.toml lets the tests themselves unwrap"
)]

use countersign_core::{CommandText, HostId, Name};
use countersign_policy::{Asked, Body, Facts, Kind, Now, Policy, Reading, Rule, Ruling, Settings};
use proptest::prelude::*;
use std::process::{Command, Stdio};

const PATTERNS: [&str; 4] = ["docker pull ghcr.io/myorg/api:*", "git status", "ls **", "systemctl status *"];
const GOOD: [&str; 8] = [
    "docker pull ghcr.io/myorg/api:sha-1",
    "git status",
    "ls -la /srv",
    "systemctl status nginx",
    "git status && ls",
    "ls | ls -l",
    "timeout 5 git status",
    "bash -c 'git status; ls x'",
];
/// What could turn a line into another one.
const PIECES: [&str; 64] = [
    ";id",
    "; id",
    "&id",
    "& id",
    "|id",
    "| id",
    "||id",
    "&&id",
    "\nid",
    "\n",
    "$(id)",
    "`id`",
    "${x:-$(id)}",
    "$X",
    "<(id)",
    ">(id)",
    "<<<$(id)",
    "<<E\n$(id)\nE\n",
    ">x",
    ">>x",
    "2>x",
    ">|x",
    "&>x",
    "<x",
    ">/dev/null",
    "2>&1",
    "'",
    "\"",
    "\\",
    "\\\n",
    "''",
    "\"\"",
    "'a'",
    "$'\\n'id",
    "$\"x\"",
    "{a,id}",
    "{1..2}",
    "*",
    "?",
    "[a]",
    "~",
    "~root",
    "#",
    " #",
    "!",
    "!!",
    "^a^b",
    "(id)",
    "( id )",
    "{ id; }",
    "time ",
    "eval ",
    "exec ",
    "env ",
    "sudo ",
    "xargs ",
    "PATH=. ",
    "A=$(id) ",
    "LD_PRELOAD=x ",
    "a[$(id)]=1 ",
    "$((a[$(id)]))",
    "-c core.pager=id ",
    " --upload-pack=id",
    "\u{a0}",
];

fn policy() -> Policy {
    let name: Name = "ops".parse().unwrap();
    let mut policy = Policy::new(Settings::default()).unwrap();
    for (id, pattern) in (1..).zip(PATTERNS) {
        let body = Body { patterns: vec![pattern.to_owned()], ..Body::default() };
        policy.add(Rule::check(id, Kind::Standing, name.clone(), name.clone(), body, None).unwrap()).unwrap();
    }
    policy
}

fn passes(policy: &Policy, line: &str) -> bool {
    let Ok(text) = CommandText::parse(line.as_bytes()) else { return false };
    let asked = Asked {
        whole: Some(&text),
        shell: "bash",
        terminal: false,
        agent: "a",
        host: HostId::from_random([0; 16]),
        session: "a-01",
        cwd: "/",
        words_known: true,
    };
    let reading = Reading::of(line, "bash", Some("/"));
    let facts = Facts { reading: &reading, score: None, anomalies: &[], secrets: &[] };
    matches!(policy.decide(&asked, &facts, &Now { at_ms: 0, uses: &|_| 0 }).ruling, Ruling::Pass(_))
}

/// Runs a line in bash with stubs in place of every program; what ran, a call a line.
fn ran(line: &str) -> String {
    const STUBS: &str = r#"
say() { printf '%s\n' "$*" >&9; }
docker() { say docker "$@"; }
git() { say git "$@"; }
ls() { say ls "$@"; }
systemctl() { say systemctl "$@"; }
timeout() { shift; "$@"; }
bash() { [ "$1" = -c ] && [ $# = 2 ] && eval "$2" || say BAD bash "$@"; }
command_not_found_handle() { say BAD "$@"; }
PATH=/nonexistent
eval "$LINE"
"#;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("calls");
    let shell = format!("exec 9>'{}'\n{STUBS}", out.display());
    let status = Command::new("/bin/bash")
        .args(["--norc", "--noprofile", "-c", &shell])
        .env_clear()
        .env("LINE", line)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap();
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    let calls = std::fs::read_to_string(&out).unwrap();
    if files == 1 { calls } else { format!("BAD wrote a file\n{calls}") }
}

fn allowed(call: &str) -> bool {
    let one = |rest: &str| !rest.is_empty() && !rest.contains(' ') && !rest.starts_with('-');
    call == "git status"
        || call == "ls"
        || call.starts_with("ls ")
        || call.strip_prefix("docker pull ghcr.io/myorg/api:").is_some_and(one)
        || call.strip_prefix("systemctl status ").is_some_and(one)
}

fn check(policy: &Policy, line: &str) {
    if passes(policy, line) {
        let calls = ran(line);
        for call in calls.lines() {
            assert!(allowed(call), "{line:?} ran {call:?}");
        }
    }
}

#[test]
fn what_is_meant_passes_and_runs_just_that() {
    let policy = policy();
    for line in GOOD {
        assert!(passes(&policy, line), "{line}");
        assert!(!ran(line).is_empty(), "{line}");
        check(&policy, line);
    }
    assert!(ran("id").starts_with("BAD"), "the stubs see what else runs");
    assert!(ran("echo x > y").contains("BAD wrote"), "and what is written");
}

#[test]
fn every_piece_at_every_place() {
    let policy = policy();
    let (mut tried, mut passed) = (0, 0);
    for line in GOOD {
        for piece in PIECES {
            for at in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
                let line = format!("{}{piece}{}", &line[..at], &line[at..]);
                tried += 1;
                if passes(&policy, &line) {
                    passed += 1;
                    check(&policy, &line);
                }
            }
        }
    }
    assert!(tried > 5000 && passed < tried / 5, "{passed} of {tried}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn pieces_in_any_number_and_order(
        good in 0..GOOD.len(),
        pieces in proptest::collection::vec((0..PIECES.len(), any::<u16>()), 1..5),
    ) {
        let mut line = GOOD[good].to_owned();
        for (piece, at) in pieces {
            let mut at = usize::from(at) % (line.len() + 1);
            while !line.is_char_boundary(at) {
                at -= 1;
            }
            line.insert_str(at, PIECES[piece]);
        }
        check(&policy(), &line);
    }

    #[test]
    fn any_text_at_all(line in "[ -~\n]{1,40}") {
        check(&policy(), &line);
        check(&policy(), &format!("git status{line}"));
        check(&policy(), &format!("ls {line}"));
    }
}
