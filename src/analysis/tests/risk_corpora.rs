//! The score on labelled command lines, where they are at hand. Each corpus is
//! cut in two by a hash of the line; rules were tuned on the even half only,
//! and both halves have to reach the figures. `--no-capture` shows the tables.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking and says why"
)]

use countersign_analysis::facts::Place;
use countersign_analysis::parse;
use countersign_analysis::risk::{Level, assess};
use std::collections::BTreeMap;
use std::path::PathBuf;

struct Line {
    text: String,
    source: String,
    hard: bool,
    half: usize,
}

/// Lines of a group, and how many of them are at each level.
#[derive(Debug, Default)]
struct Row {
    lines: u32,
    levels: [u32; 4],
}

impl Row {
    fn flagged(&self) -> f64 {
        f64::from(self.lines - self.levels[0]) / f64::from(self.lines.max(1))
    }
}

fn corpus(name: &str) -> Option<Vec<Line>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places = ["../../../shared", "../../../../shared"].map(|up| here.join(up));
    let shared = std::env::var_os("COUNTERSIGN_SHARED").map(PathBuf::from).into_iter().chain(places);
    let file = format!("corpora/{name}.dev.jsonl");
    let Some(path) = shared.map(|dir| dir.join(&file)).find(|path| path.exists()) else {
        eprintln!("SKIPPED: no {file} beside the repository or in COUNTERSIGN_SHARED");
        return None;
    };
    let lines = std::fs::read_to_string(path).unwrap();
    Some(lines.lines().map(read).collect())
}

fn read(line: &str) -> Line {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let member = |name: &str| value[name].as_str().unwrap().to_owned();
    let text = member("command");
    let half = usize::from(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()[0] % 2);
    Line { source: member("source"), hard: member("tag").contains("hard-negative"), half, text }
}

/// By half, then by source: hard negatives apart.
fn table(lines: &[Line]) -> [BTreeMap<String, Row>; 2] {
    let place = Place::default();
    let mut halves = [BTreeMap::new(), BTreeMap::new()];
    for line in lines {
        let source = if line.hard { format!("{} hard", line.source) } else { line.source.clone() };
        let row: &mut Row = halves[line.half].entry(source).or_default();
        row.lines += 1;
        row.levels[level(assess(&parse(&line.text, &place), &place).level)] += 1;
    }
    halves
}

fn level(level: Level) -> usize {
    match level {
        Level::Low => 0,
        Level::Medium => 1,
        Level::High => 2,
        Level::Critical => 3,
    }
}

fn print(name: &str, half: usize, rows: &BTreeMap<String, Row>) {
    eprintln!("{name}, half {half}: source, lines, low, medium, high, critical, flagged");
    for (source, row) in rows {
        let [low, medium, high, critical] = row.levels;
        eprintln!(
            "  {source:24} {:4} {low:4} {medium:4} {high:4} {critical:4} {:6.1} %",
            row.lines,
            row.flagged() * 100.0
        );
    }
}

/// Flagged share of all lines of the rows that `chosen` picks.
fn share(rows: &BTreeMap<String, Row>, chosen: impl Fn(&str) -> bool) -> Option<f64> {
    let rows: Vec<&Row> = rows.iter().filter(|(source, _)| chosen(source)).map(|(_, row)| row).collect();
    let lines: u32 = rows.iter().map(|row| row.lines).sum();
    let low: u32 = rows.iter().map(|row| row.levels[0]).sum();
    (lines > 0).then(|| f64::from(lines - low) / f64::from(lines))
}

#[test]
fn malicious_lines_are_flagged() {
    let Some(lines) = corpus("malicious") else { return };
    for (half, rows) in table(&lines).iter().enumerate() {
        print("malicious", half, rows);
        let count = f64::from(u32::try_from(rows.len()).unwrap());
        let macro_average = rows.values().map(Row::flagged).sum::<f64>() / count;
        eprintln!("  macro-averaged by source: {:.1} %", macro_average * 100.0);
        assert!(macro_average >= 0.85, "half {half}: {macro_average}");
    }
}

#[test]
fn routine_lines_are_not() {
    let Some(lines) = corpus("benign") else { return };
    for (half, rows) in table(&lines).iter().enumerate() {
        print("benign", half, rows);
        let routine = share(rows, |source| !source.ends_with(" hard")).unwrap();
        assert!(routine <= 0.10, "half {half}: {routine}");
        if let Some(hard) = share(rows, |source| source.ends_with(" hard")) {
            assert!(hard <= 0.15, "half {half}: hard negatives {hard}");
        }
    }
}

#[test]
fn lines_that_deserve_a_look_get_one() {
    let Some(lines) = corpus("gray") else { return };
    for (half, rows) in table(&lines).iter().enumerate() {
        print("gray", half, rows);
        let flagged = share(rows, |_| true).unwrap();
        assert!(flagged >= 0.80, "half {half}: {flagged}");
    }
}
