//! Cutting openings out of a line: hash, chain and signature stay as they are.

use super::read::{self, Found};
use super::{BadOpening, Openings, Stored};
use crate::Line;
use crate::scan::BadLine;

/// A line whose openings could not be cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCut {
    /// No entry.
    #[error("the line is malformed {0}")]
    Line(#[from] BadLine),
    /// Openings that are not in their form.
    #[error(transparent)]
    Opening(#[from] BadOpening),
}

/// The line without the openings at these paths: a whole member (`cwd`, `cmd`)
/// or one segment (`cmd/1`).
pub fn cut_openings(line: &str, paths: &[String]) -> Result<String, BadCut> {
    let parsed = Line::parse(line.as_bytes())?;
    let mut left = Openings::new();
    let is_cut = |path: &str| paths.iter().any(|cut| cut == path);
    for (path, found) in read::read(parsed.vals)? {
        if is_cut(&path) {
            continue;
        }
        let stored = match found {
            Found::One((salt, value)) => Stored::One(salt, value.into_owned()),
            Found::Many(items) => {
                let keep = |(index, item): (usize, Option<read::Opening<'_>>)| {
                    let (salt, value) = item.filter(|_| !is_cut(&format!("{path}/{index}")))?;
                    Some((salt, value.into_owned()))
                };
                Stored::Many(items.into_iter().enumerate().map(keep).collect())
            }
        };
        left.0.insert(path.into_owned(), stored);
    }
    let head = line.strip_suffix(&format!("{}}}", parsed.vals)).unwrap_or(line);
    Ok(format!("{head}{}}}", left.encode()))
}
