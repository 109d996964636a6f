//! `countersign doctor`: whether this host is what the gate rests on. Facts
//! are gathered first; the checks judge them and do no I/O.

mod catalogue;
mod checks;
mod facts;
mod finding;
mod gather;
mod locked_out;
mod show;

use crate::args::Doctor;
use crate::failure::Failure;

/// Checks everything. Answers 1 where something is open, or cannot be shown closed.
pub async fn run(args: &Doctor, json: bool) -> Result<u8, Failure> {
    if let Some(name) = args.agents.iter().find(|name| !gather::is_safe_name(name)) {
        return Err(Failure::Usage(format!("`--agent {name}` is no account's name")));
    }
    let findings = checks::all(&gather::gather(args).await);
    if args.locked_out && !json {
        return locked_out::as_text(&findings).map(u8::from);
    }
    let findings = if args.locked_out { locked_out::relevant(&findings) } else { findings };
    if json {
        show::as_json(&findings)?
    } else {
        show::as_text(&findings, args.all)?
    }
    Ok(u8::from(findings.iter().any(finding::Finding::fails)))
}

#[cfg(test)]
mod tests {
    use super::catalogue::ALL;

    #[test]
    fn the_page_has_the_same_rows() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/DOCTOR.md")).unwrap();
        let rows: Vec<String> = ALL
            .iter()
            .map(|check| format!("| `{}` | {} | {} | {} |", check.id, check.weight.as_str(), check.means, check.mend))
            .collect();
        let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(written, rows, "docs/DOCTOR.md should hold:\n{}", rows.join("\n"));
    }
}
