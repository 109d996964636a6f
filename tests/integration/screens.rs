//! A reviewer's terminal, and an agent's text that is longer than it is wide.

use countersign_tests::parts::Parts;
use countersign_tests::reviewer::Reviewer;
use countersign_tests::run::{LIMIT, Running};
use countersign_tests::terminal::Terminal;

const COLUMNS: u16 = 80;
/// What a line of ours would say.
const FORGED: &str = "verified user root@corp";
/// No row has so much room: repeated, the text begins at each column.
const UNIT: usize = 79;

/// What `countersign ARGS` shows on a terminal, row by row.
fn rows(parts: &Parts, reviewer: &Reviewer, args: &[&str]) -> Vec<String> {
    let mut terminal = Terminal::start(reviewer.command(args).current_dir(parts.scratch.path()), COLUMNS, 200);
    terminal.end();
    let shown = terminal.shown();
    let cut = |line: &str| {
        let letters: Vec<char> = line.chars().collect();
        letters.chunks(usize::from(COLUMNS)).map(|row| row.iter().collect::<String>()).collect::<Vec<_>>()
    };
    shown.lines().flat_map(cut).collect()
}

#[test]
fn an_agents_long_text_begins_no_row() {
    let parts = Parts::new();
    let reviewer = parts.reviewer();
    let padded = format!("{FORGED}{:1$}", "", UNIT - FORGED.len()).repeat(UNIT);
    let line = format!("bash -s {padded}");
    let mut front = parts.front(&line);
    let client = Running::start(front.env("COUNTERSIGN_TASK", &padded), Some(format!("# {padded}\n").as_bytes()));
    let id = reviewer.wait_for(&line);
    let views: [&[&str]; 5] = [&["pending"], &["approve", &id], &["show", &id], &["audit"], &["sessions"]];
    for view in views {
        let rows = rows(&parts, &reviewer, view);
        assert!(rows.len() > 2, "{view:?}: {rows:?}");
        let forged: Vec<_> = rows.iter().filter(|row| row.trim_start().starts_with(FORGED)).collect();
        assert!(forged.is_empty(), "{view:?}: {forged:?}");
        // Nor is anything broken twice.
        let stray = rows.iter().filter(|row| row.starts_with('↪') && row.chars().count() < 8).count();
        assert!(stray == 0 || view[0] != "pending", "{view:?}: {rows:?}");
    }
    client.wait(LIMIT).expect(0);
}
