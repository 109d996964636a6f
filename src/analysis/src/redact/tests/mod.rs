//! Redaction as a whole.

mod hiding;
mod programs;
mod unknown;

use super::{Finding, find};

/// The line with what is cut out replaced by `«…»` around it.
fn marked(line: &str) -> String {
    let mut out = String::new();
    let mut at = 0;
    for f in find(line).iter().filter(|f| f.is_cut()) {
        out.push_str(&format!("{}«{}»", &line[at..f.start], &line[f.start..f.end]));
        at = f.end;
    }
    out + &line[at..]
}

fn cut(line: &str) -> Vec<Finding> {
    find(line).into_iter().filter(Finding::is_cut).collect()
}
