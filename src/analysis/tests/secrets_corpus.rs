//! Redaction scored on labelled command lines, where they are at hand. The
//! corpus is cut in two by line number, and both halves have to reach the
//! figures. Neither is held out: all of it had been read before redaction was
//! written, and only the misses of the even lines were looked at afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why"
)]

use countersign_analysis::redact::{Finding, find};
use std::path::PathBuf;
use std::process::Command;

/// Least share of secret spans that must be cut out whole.
const FOUND: f64 = 0.95;
/// Greatest share of harmless lines that may be touched.
const TOUCHED: f64 = 0.02;

struct Line {
    id: String,
    text: String,
    spans: Vec<(usize, usize)>,
    clean: bool,
}

fn corpus() -> Option<Vec<Line>> {
    let shared = std::env::var_os("COUNTERSIGN_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let fallback = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let name = "corpora/secrets.dev.jsonl.gz";
    let path = [shared, fallback].into_iter().map(|dir| dir.join(name)).find(|path| path.exists())?;
    let out = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip is there");
    assert!(out.status.success());
    let lines = String::from_utf8(out.stdout).unwrap();
    Some(lines.lines().map(read).collect())
}

/// Spans count characters; findings count bytes.
fn read(line: &str) -> Line {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = value["command"].as_str().unwrap().to_owned();
    let byte = |n: &serde_json::Value| {
        let n = usize::try_from(n.as_u64().unwrap()).unwrap();
        text.char_indices().nth(n).map_or(text.len(), |(i, _)| i)
    };
    let spans = value["spans"].as_array().unwrap().iter().map(|s| (byte(&s["start"]), byte(&s["end"]))).collect();
    Line { id: value["id"].as_str().unwrap().to_owned(), spans, clean: value["label"] == "clean", text }
}

/// What a half came to.
#[derive(Debug, Default)]
struct Score {
    spans: usize,
    found: usize,
    exact: usize,
    clean: usize,
    touched: usize,
    /// Bytes cut in lines with secrets that belong to no secret.
    excess: usize,
}

fn score(lines: &[Line], parity: usize) -> Score {
    let mut score = Score::default();
    let quiet = std::env::var_os("REDACT_BOTH").is_none() && parity == 1;
    for line in lines.iter().enumerate().filter(|(i, _)| i % 2 == parity).map(|(_, line)| line) {
        let cut: Vec<Finding> = find(&line.text).into_iter().filter(Finding::is_cut).collect();
        if line.clean {
            score.clean += 1;
            score.touched += usize::from(!cut.is_empty());
            if !cut.is_empty() && !quiet {
                eprintln!("touched {}: {} {cut:?}", line.id, line.text);
            }
            continue;
        }
        for (start, end) in &line.spans {
            score.spans += 1;
            let whole = cut.iter().any(|f| f.start <= *start && *end <= f.end);
            score.found += usize::from(whole);
            score.exact += usize::from(cut.iter().any(|f| f.start == *start && *end == f.end));
            if !whole && !quiet {
                eprintln!("missed {}: {:?} in {} {:?}", line.id, &line.text[*start..*end], line.text, find(&line.text));
            }
        }
        let wanted: usize = line.spans.iter().map(|(s, e)| e - s).sum();
        let hidden: usize = cut.iter().map(|f| f.end - f.start).sum();
        score.excess += hidden.saturating_sub(wanted);
    }
    score
}

#[test]
fn secrets_are_found_and_look_alikes_stay() {
    let Some(lines) = corpus() else {
        eprintln!("SKIPPED: no corpus of secrets at ../shared/corpora (COUNTERSIGN_SHARED names another place)");
        return;
    };
    assert!(lines.len() > 100);
    for (parity, half) in [(0, "tuned on"), (1, "the other half")] {
        let score = score(&lines, parity);
        eprintln!("{half}: {score:?}");
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        assert!(share(score.found, score.spans) >= FOUND, "{half}: {score:?}");
        assert!(share(score.touched, score.clean) <= TOUCHED, "{half}: {score:?}");
    }
}
