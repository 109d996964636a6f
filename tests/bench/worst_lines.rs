//! What lines cost that were made to cost the most, 64 KiB each:
//! `cargo bench -p countersign-tests --bench worst_lines`.
//!
//! - `analyze`: as the service and `countersign analyze` do it.
//! - `hold`: as hostd does it when a line comes.
//! - `judge`: 500 rules that refuse, on a line that was analysed.
//!
//! That what is done is bounded is tested by counts (`src/analysis/src/shell/second.rs`,
//! `effort.rs`); this says what a machine makes of it.

use std::hint::black_box;
use std::time::Duration;

use countersign_analysis::facts::Place;
use countersign_analysis::{Nested, Place as Input, analyze, hold};
use countersign_core::{CommandText, HostId, Name};
use countersign_policy::{Asked, Document, Examined, Kind, Now, Policy, Rule, Settings};
use criterion::Criterion;

/// Longest line that is read, in bytes.
const LONG: usize = 64 * 1024 - 64;

/// Names and lines.
fn lines() -> Vec<(&'static str, String)> {
    let fill = |open: &str, again: &str, close: &str| {
        format!("{open}{}{close}", again.repeat((LONG - open.len() - close.len()) / again.len()))
    };
    let nested = |open: &str, deep: usize, inside: &str| fill(&open.repeat(deep), inside, &")".repeat(deep));
    vec![
        ("brackets closed in quotes", nested("<(a ')' ", 14, "$x")),
        ("substitutions in substitutions", nested("\"$(a ", 1, "'a' ")),
        ("commands in a hidden document", fill("cat <<E\nE \n", "<(a ')' ", "\nE\n")),
        ("braces before commas", format!("echo {}{}", "{'}'".repeat(8000), ",".repeat(32_000))),
        ("an expression of operators", fill("((", "a=", "1))")),
        ("expressions", fill("", "((a=1));", "")),
        ("shells in nested pipelines", format!("{}{}{}", "true | { ".repeat(48), "sh; ".repeat(380), "};".repeat(48))),
        ("commands in a text", fill("bash -c \"", "a|", "a\"")),
        ("names of secrets in a text", fill("bash -c \"", "key = Xq7vTr2kLm\n", "\"")),
        ("backquotes", fill("echo ", "`a`", "")),
        ("one word", fill("rm ", "xy", "")),
        ("a word of exclamation marks", fill("echo ", "!\\", "")),
        ("exclamation marks behind a cd", fill("cd x; echo ", "!\\", "")),
    ]
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let place = Place { cwd: Some("/srv"), ..Place::default() };
    let input = Input { shell: "bash", terminal: false, nested: Nested::Ask };
    let policy = policy();
    for (name, line) in lines() {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("analyze", |bencher| bencher.iter(|| black_box(analyze(black_box(&line), &place, &[]))));
        let length = u64::try_from(line.len()).expect("length");
        group.bench_function("hold", |bencher| {
            bencher.iter(|| black_box(hold(black_box(line.as_bytes()), length, input)));
        });
        let examined = Examined::of(&line, "bash", "/srv", &[]);
        let whole = CommandText::parse(line.as_bytes()).expect("text");
        let asked = Asked {
            whole: Some(&whole),
            shell: "bash",
            terminal: false,
            agent: "agent",
            host: HostId::from_random([1; 16]),
            session: "agent-01",
            cwd: "/srv",
            words_known: true,
        };
        let now = Now { at_ms: 0, uses: &|_| 0 };
        group.bench_function("judge", |bencher| {
            bencher.iter(|| black_box(policy.judge(black_box(&asked), &examined, &[], &now)));
        });
        group.finish();
    }
    criterion.final_summary();
}

/// 500 rules that refuse programs which the lines hold, in two patterns each.
fn policy() -> Policy {
    let rules = (0..500).map(|n| {
        format!("[[rule]]\neffect = \"deny\"\npatterns = [\"a *x*y*{n}\", \"rm *a*b*c{n}\", \"sh x{n} **\"]\n")
    });
    let document = format!("fmt = \"cs-rules1\"\n{}", rules.collect::<String>());
    let mut policy = Policy::new(Settings::default()).expect("settings");
    let (author, approver): (Name, Name) = ("ops".parse().expect("name"), "lead".parse().expect("name"));
    for (id, rule) in (1..).zip(Document::parse(&document).expect("rules").rules) {
        let rule = Rule::check(id, Kind::Standing, author.clone(), approver.clone(), rule.body, None).expect("rule");
        policy.add(rule).expect("added");
    }
    policy
}
