//! Searches for lines that cost the most: random grammars of nestings,
//! wrappers, here-documents, quotes and texts like secrets, 64 KiB of each, the
//! costliest changed a little again and again. Arguments: seconds, a seed, and
//! from how many milliseconds on a line is written (as JSON) to stderr. With
//! `read` alone, what the lines on standard input cost (JSON, `command`).

use countersign_analysis::facts::Place;
use countersign_analysis::{Nested, Place as Input, analyze, hold};
use std::io::Write;
use std::time::Instant;

/// Bytes of a line: the longest that is read.
const LONG: usize = 64 * 1024 - 16;
/// How many of the costliest are changed further.
const KEPT: usize = 24;

const ATOMS: &[&str] = &[
    "a",
    "ls",
    "rm -rf /",
    "-c",
    "x=1",
    "$x",
    "${x}",
    "'q r'",
    "\"d e\"",
    "://a:",
    "xoxb-",
    "xoxb-1-",
    "password=",
    "token ",
    "Bearer ",
    "-----BEGIN ",
    "=",
    ":",
    "@",
    ",",
    "{a,b}",
    "*",
    "[",
    "]",
    "\\",
    "\\\\",
    "#",
    " #",
    "é",
    "\u{202e}",
    "~",
    "/etc/",
    "/",
    "4111 ",
    "1",
    "-",
    "--",
    ".",
    "$",
    "!",
    "\t",
    "\n",
    "ghp_",
    "eyJhbGciOi",
    "key=a",
    "pass:",
    "-p",
    "-u a:",
    "Authorization: ",
    "Cookie: a=b;",
    "%s",
    "\\n",
    "$'\\x41'",
    "|",
    "&&",
    ";",
    "<",
    ">",
    "2>&1",
    "<<<",
    "((",
    "))",
    "+",
    "identified by ",
    "auth=(",
    "send \"",
    "assword:",
    "set password ",
    "IBAN",
    "GB82 ",
    "a@b.cc ",
    "10.0.0.1 ",
    "s/a/b/",
    "://",
    "a:b@c ",
    "h:1:d:u:pppp ",
    "!x",
    "true",
    "curl ",
    "mysql ",
    "echo ",
    "printf ",
    "openssl ",
    "docker ",
    "sqlplus ",
    "sh",
    "bash",
    "python",
    "function f",
    "time ",
    "coproc ",
    "! ",
    "[[ a ",
    "]] ",
    "case ",
    "esac ",
    "in ",
    "do ",
    "done ",
    "fi ",
];
const RUNNERS: &[&str] = &[
    "sudo ",
    "env ",
    "nice ",
    "ssh h ",
    "eval ",
    "bash -c ",
    "xargs ",
    "timeout 5 ",
    "find . -exec ",
    "parallel ",
    "trap ",
    "docker exec c ",
    "su -c ",
    "watch ",
    "nohup ",
    "busybox ",
    "sh -c ",
    "ssh h sudo ",
    "env A=1 ",
    "exec ",
    "command ",
    "kubectl exec p -- ",
    "at now ",
    "time ",
    "stdbuf -o0 ",
    "setsid ",
    "source ",
    "awk ",
    "sed ",
    "tmux ",
];
const NESTINGS: &[(&str, &str)] = &[
    ("$(", ")"),
    ("<(", ")"),
    ("`", "`"),
    ("(", ")"),
    ("{ ", ";}"),
    ("\"", "\""),
    ("'", "'"),
    ("\"$(", ")\""),
    ("$((", "))"),
    ("${a:-", "}"),
    ("${a[", "]}"),
    ("[[ ", " ]]"),
    ("if a; then ", "; fi"),
    ("while a; do ", "; done"),
    ("for a in b; do ", "; done"),
    ("case a in a) ", ";; esac"),
    ("f() { ", ";}"),
    ("cat <<E\n", "\nE\n"),
    ("bash <<'E'\n", "\nE\n"),
    ("cat <<< \"", "\""),
    ("a=(", ")"),
    ("$'", "'"),
    ("bash -c '", "'"),
    ("bash -c \"", "\""),
    ("eval \"", "\""),
    ("ssh h '", "'"),
    ("echo \"", "\" | sh"),
    ("x=$(", ");"),
];

/// Numbers that look random, the same for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % most.max(1)
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.get(self.below(of.len()))
    }
}

/// A part of a line.
#[derive(Debug, Clone)]
enum Part {
    /// A piece again and again, over so many parts of all that is free.
    Again(String, usize),
    /// What comes after it, so many times inside of brackets.
    Inside(&'static str, &'static str, usize),
}

fn piece(dice: &mut Dice) -> String {
    let mut piece = String::new();
    for _ in 0..=dice.below(3) {
        let from = if dice.below(3) == 0 { RUNNERS } else { ATOMS };
        piece.push_str(dice.one(from).copied().unwrap_or("a"));
        piece.push_str(dice.one(&["", "", " ", "; ", "\n", " | ", "&&"]).copied().unwrap_or(" "));
    }
    if dice.below(6) == 0 {
        let (open, close) = dice.one(NESTINGS).copied().unwrap_or(("(", ")"));
        piece = format!("{open}{piece}{close} ");
    }
    piece
}

fn part(dice: &mut Dice) -> Part {
    if dice.below(2) == 0 {
        let (open, close) = dice.one(NESTINGS).copied().unwrap_or(("(", ")"));
        let deep = [1, 2, 4, 8, 12, 16, 30, 50, 90, 2000, 30_000];
        return Part::Inside(open, close, dice.one(&deep).copied().unwrap_or(1));
    }
    Part::Again(piece(dice), 1 + dice.below(8))
}

fn changed(parts: &[Part], dice: &mut Dice) -> Vec<Part> {
    let mut parts = parts.to_vec();
    let at = dice.below(parts.len());
    match dice.below(4) {
        0 if parts.len() < 6 => parts.insert(at, part(dice)),
        1 if parts.len() > 1 => {
            parts.remove(at);
        }
        2 => {
            if let Some(Part::Inside(_, _, deep)) = parts.get_mut(at) {
                *deep = (*deep * (1 + dice.below(3)) / 2).max(1);
            }
        }
        _ => {
            if let Some(old) = parts.get_mut(at) {
                *old = part(dice);
            }
        }
    }
    parts
}

fn line(parts: &[Part]) -> String {
    let brackets: usize = parts
        .iter()
        .map(|part| if let Part::Inside(open, close, deep) = part { (open.len() + close.len()) * deep } else { 0 })
        .sum();
    let free = LONG.saturating_sub(brackets.min(LONG));
    let shares: usize = parts.iter().map(|part| if let Part::Again(_, share) = part { *share } else { 0 }).sum();
    let (mut line, mut ends) = (String::new(), String::new());
    for part in parts {
        match part {
            Part::Again(piece, share) => {
                line.push_str(&piece.repeat(free * share / shares.max(1) / piece.len().max(1)))
            }
            Part::Inside(open, close, deep) => {
                let deep = (*deep).min(LONG / 2 / (open.len() + close.len()));
                line.push_str(&open.repeat(deep));
                ends.insert_str(0, &close.repeat(deep));
            }
        }
    }
    line.push_str(&ends);
    let cut = (0..=line.len().min(LONG)).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    line.truncate(cut);
    line
}

/// Milliseconds on a processor of the dearer of the two that read a line: the
/// service, which analyses it, and hostd, which holds it.
fn cost(line: &str, runs: usize) -> f64 {
    let place = Place::default();
    let analysed = || {
        std::hint::black_box(analyze(std::hint::black_box(line), &place, &[]));
    };
    let held = || {
        let input = Input { shell: "bash", terminal: true, nested: Nested::Ask };
        let bytes = std::hint::black_box(line.as_bytes());
        std::hint::black_box(hold(bytes, u64::try_from(bytes.len()).unwrap_or(0), input));
    };
    let deep = line.matches(['(', '{', '[', '`']).count() > 12 || line.matches("if ").count() > 12;
    timed(&analysed, runs, deep).max(timed(&held, runs, deep))
}

/// The best of some runs by this thread's time. A deep line is read by a thread
/// of its own, so its time is that of the whole process, which is told in
/// hundredths of a second: the mean of more runs.
fn timed(work: &dyn Fn(), runs: usize, deep: bool) -> f64 {
    let run = || {
        let before = on_processor();
        work();
        on_processor() - before
    };
    if !deep {
        return (0..runs).map(|_| run()).fold(f64::INFINITY, f64::min);
    }
    let (before, runs) = (of_process(), if runs == 1 { 2u32 } else { 12 });
    (0..runs).for_each(|_| work());
    (of_process() - before) / f64::from(runs)
}

/// Milliseconds that this process has run, to the hundredth of a second; see proc(5), `stat`.
fn of_process() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

/// Milliseconds that this thread has run; see proc(5), `schedstat`.
fn on_processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Says what each line on standard input costs, dearest first.
fn told_ones() -> std::io::Result<()> {
    let mut costs: Vec<(f64, String)> = Vec::new();
    for line in std::io::stdin().lines() {
        let told: serde_json::Value = serde_json::from_str(&line?)?;
        let text = told.get("command").and_then(serde_json::Value::as_str).unwrap_or_default();
        costs.push((cost(text, 4), text.chars().take(60).collect()));
    }
    costs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut out = std::io::stdout().lock();
    costs.iter().try_for_each(|(ms, text)| writeln!(out, "{ms:8.2} ms  {text:?}"))
}

fn main() -> std::io::Result<()> {
    if std::env::args().nth(1).is_some_and(|word| word == "read") {
        return told_ones();
    }
    let mut arguments = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (seconds, seed) = (arguments.next().unwrap_or(20), arguments.next().unwrap_or(1));
    let told = arguments.next().and_then(|ms| u32::try_from(ms).ok()).map_or(f64::INFINITY, f64::from);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut kept: Vec<(f64, Vec<Part>)> = Vec::new();
    let mut tried = 0u64;
    let start = Instant::now();
    cost("ls", 1);
    while start.elapsed().as_secs() < seconds {
        let fresh = kept.len() < KEPT || dice.below(3) == 0;
        let parts = match dice.one(&kept).filter(|_| !fresh) {
            Some((_, parts)) => changed(parts, &mut dice),
            None => (0..=dice.below(4)).map(|_| part(&mut dice)).collect(),
        };
        tried += 1;
        let text = line(&parts);
        let least = kept.last().filter(|_| kept.len() >= KEPT).map_or(0.0, |(ms, _)| *ms);
        // A slow run may be somebody else's: it counts if it is slow again.
        if cost(&text, 1) <= least {
            continue;
        }
        let ms = cost(&text, 4);
        if ms > least {
            kept.push((ms, parts));
            kept.sort_by(|a, b| b.0.total_cmp(&a.0));
            kept.truncate(KEPT);
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{tried} lines")?;
    for (ms, parts) in &kept {
        writeln!(out, "{ms:8.2} ms  {parts:?}")?;
        if *ms >= told {
            writeln!(std::io::stderr(), "{}", serde_json::json!({"command": line(parts)}))?;
        }
    }
    Ok(())
}
