//! Hiding never hides what bash would execute: generated lines run in bash,
//! with a stub that counts, before and after hiding.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use countersign_analysis::redact::{Finding, find};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Lines to try. More are tried where the environment asks for it.
const LINES: usize = 300;

/// Pieces of lines: quotes of all kinds, expansions, separators, programs.
const PIECES: &[&str] = &[
    "mysql -p",
    "mysql --password=",
    "PGPASSWORD=",
    "sshpass -p ",
    "curl -u a:",
    "echo ",
    "eval ",
    "bash -c ",
    " | sudo -S true",
    "'",
    "'",
    "\"",
    "\"",
    "\\",
    "$'",
    "$\"",
    "`",
    "$(evil)",
    "`evil`",
    "\"$(evil)\"",
    "$(",
    ")",
    "(",
    "${x:-",
    "}",
    "{",
    ",",
    "evil",
    " evil ",
    ";evil;",
    "&&evil ",
    "|evil",
    "\nevil\n",
    "hunter2xQ9",
    "abcDEF123",
    "a b",
    " ",
    " ",
    "=",
    ":",
    "#",
    "*",
    "<<EOF\n",
    "\nEOF\n",
    "<<'EOF'\n",
    "<<<",
    "<(evil)",
    "token=",
    "password: ",
    "Authorization: Bearer ",
    "https://u:",
    "@h/",
    "[[ ",
    " ]]",
    "case x in x) ",
    ";; esac",
    "((1<<2))",
    "x=(",
    "f() { ",
    "; }",
    "!",
    "~",
    "\\\n",
    "$x",
    "$((1))",
    "-----BEGIN PRIVATE KEY-----\n",
    "\n-----END PRIVATE KEY-----",
];

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(n).unwrap()).unwrap()
    }
}

/// How long a process substitution, which nobody waits for, is given to run its stub.
const LATE: Duration = Duration::from_millis(20);
/// The same where it is asked again, and the machine may be busy.
const VERY_LATE: Duration = Duration::from_millis(300);

/// How often the stub ran, for each line, in one bash.
fn executions(lines: &[String], late: Duration) -> Vec<usize> {
    let dir = std::env::temp_dir().join(format!("countersign-redact-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let stub = |name: &str, body: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    stub("evil", "echo ran >&9");
    for name in ["mysql", "sshpass", "curl", "sudo"] {
        stub(name, "exit 0");
    }
    let run = |line: &String| {
        let counted = dir.join("counted");
        std::fs::write(&counted, "").unwrap();
        let mut outer = Command::new("/bin/sh");
        outer.args(["-c", "exec 9>>counted; exec /bin/bash --norc -c \"$1\" bash", "sh", line]);
        outer.current_dir(&dir).env_clear().env("PATH", &dir);
        outer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        if line.contains("<(") {
            std::thread::sleep(late);
        }
        std::fs::read_to_string(&counted).unwrap().lines().count()
    };
    let counts = lines.iter().map(run).collect();
    std::fs::remove_dir_all(&dir).unwrap();
    counts
}

#[test]
fn what_is_hidden_never_ran() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let wanted = std::env::var("COUNTERSIGN_REDACT_LINES").ok().and_then(|n| n.parse().ok()).unwrap_or(LINES);
    let mut lines = Vec::new();
    let mut hidden = Vec::new();
    while lines.len() < wanted {
        let line: String = (0..2 + random.below(9)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let cuts: Vec<Finding> = find(&line).into_iter().filter(Finding::is_cut).collect();
        if cuts.is_empty() || !line.contains("evil") {
            continue;
        }
        let mut shown = line.clone();
        for cut in cuts.iter().rev() {
            shown.replace_range(cut.start..cut.end, "HIDDEN00");
        }
        lines.push(line);
        hidden.push(shown);
    }
    let before = executions(&lines, LATE);
    let after = executions(&hidden, LATE);
    assert!(before.iter().filter(|n| **n > 0).count() > wanted / 20, "hardly a line ran the stub");
    for ((line, shown), (before, after)) in lines.iter().zip(&hidden).zip(before.iter().zip(&after)) {
        // A process substitution may be late for its count: the most of some runs tells.
        let most = |line: &String| executions(&vec![line.clone(); 8], VERY_LATE).into_iter().max();
        let fewer = before > after && most(line) > most(shown);
        assert!(!fewer, "hidden code: {line:?}\nshown: {shown:?}\nran {before} times, shown {after} times");
    }
}
