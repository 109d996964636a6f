//! `countersign verify`: the ledger, without any service.

use crate::args::Verify;
use crate::evaluate::Rules;
use crate::failure::Failure;
use crate::screen::{note, show, show_json};
use crate::style::{self, FAINT, paint};
use countersign_core::{Outcome, legible};
use countersign_ledger::verify::{CHECKS, Options, Progress, Report, verify_by};
use countersign_ledger::{BadHead, KnownHead, TrustError, TrustFile};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::path::Path;

/// Verifies. The answer is the exit code of docs/LEDGER.md.
pub fn verify(args: &Verify, json: bool) -> Result<u8, Failure> {
    let trust = args.trust.as_deref().map(load_trust).transpose()?;
    let known_heads = args.known_head.iter().map(|path| load_head(path)).collect::<Result<_, _>>()?;
    let options = Options { require: args.require, signatures: args.signatures, known_heads, whole: args.whole };
    let bar = progress_bar("{wide_bar} {bytes}/{total_bytes} {eta}");
    let mut report_progress = |progress: Progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
    };
    let report = verify_by(&args.source, trust.as_ref(), &options, Some(&Rules), &mut report_progress);
    bar.finish_and_clear();
    told(&report, args.explain, json)?;
    if trust.is_none() {
        note(&no_trust(&args.source));
    }
    Ok(report.exit_code)
}

/// Prints the report. That nobody reads it to its end changes no verdict.
fn told(report: &Report, explain: bool, json: bool) -> Result<(), Failure> {
    let shown = match (json, explain) {
        (true, _) => show_json(report),
        (false, true) => show(&(report.text() + &explained(report))),
        (false, false) => show(&report.text()),
    };
    match shown {
        Ok(()) | Err(Failure::Unread) => Ok(()),
        Err(other) => Err(other),
    }
}

fn load_trust(path: &Path) -> Result<TrustFile, Failure> {
    TrustFile::load(path).map_err(|e| match &e {
        TrustError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Failure::NotFound(e.to_string()),
        TrustError::Io { .. } => Failure::Io(e.to_string()),
        TrustError::TooLong { .. } | TrustError::Content(_) => Failure::BadFile(e.to_string()),
    })
}

fn load_head(path: &Path) -> Result<KnownHead, Failure> {
    KnownHead::load(path).map_err(|e| match &e {
        BadHead::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Failure::NotFound(e.to_string()),
        BadHead::Io { .. } => Failure::Io(e.to_string()),
        BadHead::Content => Failure::BadFile(format!("{}: {e}", path.display())),
    })
}

/// On a terminal only.
pub fn progress_bar(form: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Every check by its id, and how often it found something.
fn explained(report: &Report) -> String {
    let mut text = String::from("\n");
    for info in CHECKS {
        let found = report.totals.get(info.id).copied().unwrap_or(0);
        if found == 0 {
            text.push_str(&format!("{} {}\n", paint(style::of(Some(Outcome::Approved)), "✔"), info.id));
        } else {
            let mark = paint(style::of(Some(Outcome::Denied)), "✘");
            let said = format!("{}\n  {}", paint(FAINT, info.explain), paint(FAINT, &format!("next: {}", info.next)));
            text.push_str(&format!("{mark} {} ({found})\n  {said}\n", info.id));
        }
    }
    text
}

fn no_trust(source: &Path) -> String {
    let kept = source.join("trust.json");
    // A trial has both parties in one directory; elsewhere such a file would be the word of who is checked.
    let trial = match source.join("service").is_dir() && kept.is_file() {
        true => format!(" This trial keeps them in {}.", legible(&kept.display().to_string())),
        false => String::new(),
    };
    format!(
        "countersign: no keys to trust were given, so nothing is proven about who wrote this; name them with --trust FILE.{trial}\n  \
         They must come to you from the service itself (`countersign-server trust`), never with the bundle that is checked."
    )
}
