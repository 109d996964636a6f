//! What can be typed to look at what happened.

use super::Where;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use countersign_analysis::anomaly::Flag;
use countersign_api::service::RiskRange;
use countersign_api::triage::{TriageFilter, Verdict};
use countersign_core::{Name, Outcome, SubmissionId};

const AUDIT_HELP: &str = "\
Filters narrow: a command is shown where all of them fit. The newest are shown,
oldest first.
docs/AUDIT.md has what --json, --csv and --ocsf hold.";

/// `audit`
#[derive(Debug, Args)]
#[command(after_help = AUDIT_HELP, args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// Instead of listing.
    #[command(subcommand)]
    pub what: Option<AuditCommand>,
    /// At most the last N commands [default: 50].
    #[arg(short = 'n', long = "limit", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// All commands that fit.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Only of this agent.
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Only where sshd verified this user: a certificate's key id, or a key's fingerprint.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Only of this work session, in its order.
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// Only on this target.
    #[arg(long, visible_alias = "host", value_name = "NAME")]
    pub target: Option<Name>,
    /// Only with this outcome: approved, denied, whitelisted, timed_out, blocked, cancelled or error.
    #[arg(long, visible_alias = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    pub decision: Option<Outcome>,
    /// Only with this risk: 70.., ..25, 70..90 (both included), or a level: low, medium, high, critical, high..
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub risk: Option<RiskRange>,
    /// Only with this anomaly flag; may be repeated: with all of them.
    #[arg(long = "anomaly", value_name = "FLAG", value_parser = PossibleValuesParser::new(Flag::ALL.map(Flag::code)))]
    pub anomalies: Vec<String>,
    /// Only what this rule or grant decided: its number, or threshold:CLASS.
    #[arg(long, value_name = "NUMBER")]
    pub rule: Option<String>,
    /// Only what this person decided, or approved as one of several.
    #[arg(long, value_name = "NAME")]
    pub reviewer: Option<Name>,
    /// Only where this was the last verdict (audit triage): benign, false_positive, policy_gap, suspicious,
    /// malicious or undetermined; or where there is none.
    #[arg(long, value_name = "VERDICT")]
    pub triage: Option<TriageFilter>,
    /// Only commands, or claims of their agent, that hold this text; one or two characters: where a word begins.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub text: Option<String>,
    /// Only commands that begin with this text.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,
    /// Only from then on: 90s, 15m, 12h, 30d, 4w, or a UTC date or time.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only before then.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Only what is older than this command: the page before the one that it is the first of.
    #[arg(long, value_name = "ID")]
    pub before: Option<SubmissionId>,
    /// Print comma-separated values (RFC 4180) with a line of names.
    #[arg(long, conflicts_with = "ocsf")]
    pub csv: bool,
    /// Print an event of OCSF 1.5.0 (Process Activity) a line.
    #[arg(long)]
    pub ocsf: bool,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// An outcome by its word. A decider has more words, which are none here.
fn outcome(text: &str) -> Result<Outcome, String> {
    let words = Outcome::ALL.map(Outcome::as_str).join(", ");
    text.parse().map_err(|_| format!("no outcome; use one of {words}"))
}

/// What `audit` can do besides.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Say what commands were, that somebody has looked at. Every verdict stays in the record; the last one counts.
    #[command(after_help = TRIAGE_HELP)]
    Triage(Triage),
}

const TRIAGE_HELP: &str = "\
Verdicts:
  benign          odd as its flags say, and right: expected, or agreed on
  false_positive  not odd; flags or score are wrong
  policy_gap      no harm, but rules should not have let it run
  suspicious      something is wrong; what, is not known yet
  malicious       an attack, or an agent that did harm
  undetermined    nobody can tell, or the verdict before is taken back
Where there are two people or more, benign and false_positive are for another
one than who let it run.";

/// `audit triage`
#[derive(Debug, Args)]
pub struct Triage {
    /// Ids of commands, or 4 or more characters of their beginnings.
    #[arg(required = true, value_name = "RECORD")]
    pub ids: Vec<String>,
    /// What it was.
    #[arg(long = "as", value_name = "VERDICT")]
    pub verdict: Verdict,
    /// Why; the record keeps it. Write no secret.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub note: String,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `sessions`
#[derive(Debug, Args)]
pub struct Sessions {
    /// At most the last N sessions.
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `replay`
#[derive(Debug, Args)]
#[command(after_help = "Keys while playing: space pauses, . steps while paused, q or Ctrl-C ends.")]
pub struct Replay {
    /// A login (as `sessions` shows it), a command (as `audit` does: its login from there on), each by 4 or more
    /// characters of its beginning, or an asciicast file.
    #[arg(value_name = "LOGIN|ID|FILE")]
    pub what: String,
    /// Play so many times faster.
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub speed: f64,
    /// Cut every silence to so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub idle: Option<f64>,
    /// Begin so many seconds after its start; what was on the screen by then is there at once.
    #[arg(long, value_name = "SECONDS", value_parser = from)]
    pub from: Option<f64>,
    /// Show commands and decisions where they happened.
    #[arg(long)]
    pub markers: bool,
    /// Write the exact recorded bytes of a stream, unfiltered; refused on a terminal.
    #[arg(long, value_name = "STREAM", num_args = 0..=1, require_equals = true, default_missing_value = "stdout",
          conflicts_with_all = ["speed", "idle", "from", "markers"])]
    pub raw: Option<RawStream>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// Which output `replay --raw` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RawStream {
    /// Standard output; everything where the command had a terminal.
    Stdout,
    /// Standard error, where it was separate.
    Stderr,
}

/// `show`
#[derive(Debug, Args)]
pub struct Show {
    /// The submission's id, or 4 or more characters of its beginning.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

fn from(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("must be 0 or more".into()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number >= 0.01 { Ok(number) } else { Err("must be 0.01 or more".into()) }
}
