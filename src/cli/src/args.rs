//! What can be typed: the one place that says it; help, completions and man
//! pages follow from here.

mod look;
pub mod rules;

pub use look::{Audit, AuditCommand, RawStream, Replay, Sessions, Show, Triage};

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use countersign_core::{LoginId, Name};
use countersign_ledger::verify::{Require, Signatures};
use std::ffi::OsString;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   the service refused what was asked; the text says why
  64  wrong flags, or an id that could mean several things
  65  a file is not what it should be
  66  what was named does not exist
  69  service or one of our programs not available
  70  a defect of countersign
  74  reading or writing failed
  78  a configuration file or directory is missing or unsafe
`try` ends with the command's own code (128 + N: signal N; 126: not approved).
`verify` has codes of its own: see `countersign verify --help`.";

const VERIFY_CODES: &str = "\
Exit codes (the most severe wins, in the order 40 41 42 50 30 51 20 11 10):
  0   all that was asked for is proven
  10  sound, but not witnessed as far as --require asks
  11  sound so far, not complete: open session, recovered crash, declared gap
  20  no trust was given, or there is nothing to verify
  30  two histories under one name (fork)
  40  invalid: hash, signature, grammar or commitment
  41  entries are missing
  42  a recording does not match
  50  something ran without a valid decision in time
  51  time anomaly that nobody declared
  64 65 66 70 74 78  as for every command
What each finding means, and what to do next: docs/AUDIT.md.";

const DOCTOR_CODES: &str = "\
Exit codes:
  0   no hole
  1   a hole, or something that cannot be shown closed
  64 70 74  as for every command
What each check means: docs/DOCTOR.md.";

const ANALYZE_OUTPUT: &str = "\
Without LINE, reads JSON lines {\"command\": \"...\"} from stdin. Writes one JSON
object for each line, in order:
  score 0-100, level       low < 25 <= medium < 50 <= high < 75 <= critical
  reasons                  the risk rules that hold: id, weight, reason,
                           technique (ATT&CK), category, start, end
  anomalies                flags that the line earns by itself
  consequences             what would come of it, in words
  commands                 every simple command that would run, with its words
                           and what runs it
  opaque, opaque_reasons   whether, and why, that may not be all
  redactions               secrets: start, end, kind
  display                  where it could show what it is not
Offsets count characters. A line of input that cannot be read gets
{\"error\": \"...\"}, and the exit code is 65. More: docs/ANALYSIS.md.";

const APPROVE_HELP: &str = "\
It shows what it decides and asks nothing: look first, with `countersign
pending` or, for all of it, `countersign show ID`.";

/// Countersign: command lines of AI agents wait for a decision, and leave a record.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct CommandLine {
    /// Print one JSON value (ASCII only) instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the service is.
#[derive(Debug, Clone, Default, Args)]
pub struct Where {
    /// State directory of a trial (`countersign try`): its reviewer.toml is used, and its service
    /// is started for the query when it does not run.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "config")]
    pub state: Option<PathBuf>,
    /// The reviewer.toml to use [default: $COUNTERSIGN_CONFIG, else ~/.config/countersign/reviewer.toml].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One-machine trial: service, host and one gated command; nothing is installed.
    Try(Try),
    /// Show what waits for a decision.
    Pending(Where),
    /// Let submissions run.
    Approve(Approve),
    /// Refuse submissions.
    Deny(Deny),
    /// Show what was submitted and how it ended, oldest first.
    Audit(Box<Audit>),
    /// Show work sessions, oldest first.
    Sessions(Sessions),
    /// Play a recording: of a login, or an asciicast file.
    Replay(Replay),
    /// Show one command of the audit in full.
    Show(Show),
    /// Check a ledger offline: a journal, a state directory or a bundle.
    #[command(after_help = VERIFY_CODES)]
    Verify(Verify),
    /// Pack a ledger and its recordings for an auditor.
    Bundle(Bundle),
    /// What decides without a person: the whitelist, rules that refuse, thresholds.
    #[command(subcommand)]
    Rules(rules::Rules),
    /// Make this host known to a service (once, as root).
    Enroll(Enroll),
    /// Check that this host is what the gate rests on (as root).
    #[command(after_help = DOCTOR_CODES)]
    Doctor(Doctor),
    /// Say what command lines would do and how risky they are; offline, nothing is run.
    #[command(after_help = ANALYZE_OUTPUT)]
    Analyze(Analyze),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What the built-in trial reviewer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrialAnswer {
    /// Let it run.
    Approve,
    /// Refuse it.
    Deny,
}

/// `try`
#[derive(Debug, Args)]
pub struct Try {
    /// The command line to submit; without it a gated shell is started.
    #[arg(short = 'c', value_name = "CMD", allow_hyphen_values = true)]
    pub line: Option<OsString>,
    /// Put a built-in reviewer (recorded as `trial-reviewer`) in place of a person.
    #[arg(long, value_name = "ANSWER")]
    pub decide: Option<TrialAnswer>,
    /// Keep everything in DIR [default: $XDG_STATE_HOME/countersign/trial, else ~/.local/state/countersign/trial].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// How long an answer counts, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub timeout: u32,
    /// Keep service and host running after the command, until Ctrl-C.
    #[arg(long)]
    pub keep: bool,
}

/// `approve`
#[derive(Debug, Args)]
#[command(after_help = APPROVE_HELP)]
pub struct Approve {
    /// Ids as `pending` shows them: any beginning of 4 characters or more that names only one.
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// A comment for the record.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Let the same line (or --pattern) pass for so long in this agent's session on this target: 15m, 2h.
    #[arg(long, value_name = "TIME", value_parser = rules::minutes)]
    pub grant: Option<u32>,
    /// With --grant: a pattern instead of the line (docs/POLICY.md).
    #[arg(long, value_name = "PATTERN", requires = "grant")]
    pub pattern: Option<String>,
    /// With --grant: how many lines may pass.
    #[arg(long, value_name = "N", requires = "grant", default_value_t = 20)]
    pub uses: u64,
    /// The SSH key to sign with, for hosts that demand it (else `sign_with` of reviewer.toml).
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `deny`
#[derive(Debug, Args)]
pub struct Deny {
    /// Ids as `pending` shows them: any beginning of 4 characters or more that names only one.
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// Why; the record keeps it.
    #[arg(long, value_name = "TEXT", required = true)]
    pub reason: String,
    /// The SSH key to sign with, for hosts that demand it (else `sign_with` of reviewer.toml).
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

const BUNDLE_HELP: &str = "\
Examples:
  on the host, its whole ledger, or a month of it:
    countersign bundle /var/lib/countersign/host -o all.tar
    countersign bundle /var/lib/countersign/host --since 30d -o month.tar
  from the service, a work session, or what a host did since a day:
    countersign bundle deploy-01 -o deploy-01.tar
    countersign bundle --host web-1 --since 2026-11-01 -o november.tar

A part holds what it needs to be verified by itself. What is fetched from the
service lies beside FILE.tar, in FILE.tar.fetched, until the bundle is written.";

/// `bundle`
#[derive(Debug, Args)]
#[command(after_help = BUNDLE_HELP)]
pub struct Bundle {
    /// A host's or a trial's state directory, or the name of a work session.
    #[arg(value_name = "DIR|SESSION", required_unless_present = "host", value_hint = ValueHint::DirPath)]
    pub source: Option<PathBuf>,
    /// The file to write; it must not exist.
    #[arg(short = 'o', long = "output", value_name = "FILE.tar", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// The ledger of this host, from the service.
    #[arg(long, value_name = "NAME", conflicts_with = "source")]
    pub host: Option<Name>,
    /// Only what came then or later, and the logins open then: an age (15m, 12h, 30d, 4w), a UTC date
    /// or time, or the number of an entry.
    #[arg(long, value_name = "WHEN|SEQ", conflicts_with = "logins")]
    pub since: Option<String>,
    /// Only this login of DIR; may be repeated.
    #[arg(long = "login", value_name = "ID", conflicts_with = "host")]
    pub logins: Vec<LoginId>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// A journal directory, a state directory or a bundle.
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub source: PathBuf,
    /// The keys you trust, from you and not from the one who is checked.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trust: Option<PathBuf>,
    /// How far somebody besides the host must vouch: self-attested, service-held or witnessed.
    #[arg(long, value_name = "LEVEL", default_value = "service-held")]
    pub require: Require,
    /// A head of this ledger that you know, as a checkpoint note or a cs-head1 line: shows a cut end. May be repeated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub known_head: Vec<PathBuf>,
    /// Which signatures are checked: strict (all), or checkpoint (those that no cosigned checkpoint covers).
    #[arg(long, value_name = "MODE", default_value = "strict")]
    pub signatures: Signatures,
    /// Refuse a bundle that holds a part of a history only.
    #[arg(long)]
    pub whole: bool,
    /// Name every check and what it found.
    #[arg(long)]
    pub explain: bool,
}

/// `enroll`
#[derive(Debug, Args)]
pub struct Enroll {
    /// Address of the service.
    #[arg(long, value_name = "URL")]
    pub service: String,
    /// One-time token, as `countersign-server enroll-token` prints it.
    /// Every account here can read the arguments of a process: prefer --token-file.
    #[arg(long, value_name = "TOKEN", required_unless_present = "token_file", conflicts_with = "token_file")]
    pub token: Option<String>,
    /// A file that holds the token; `-` is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// What people call this host.
    #[arg(long, value_name = "NAME")]
    pub name: Name,
    /// Where the host keeps its identity and ledger.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/countersign/host", value_hint = ValueHint::DirPath)]
    pub state: PathBuf,
    /// State directory of the host that has lost its identity key and whose place this one takes.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub former: Option<PathBuf>,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Accounts to check [default: members of countersign-agents and accounts with countersign-sh].
    #[arg(long = "agent", value_name = "NAME")]
    pub agents: Vec<String>,
    /// The sshd to ask [default: those that run, else /usr/sbin/sshd].
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub sshd: Option<PathBuf>,
    /// Its configuration [default: those of the sshds that run, else /etc/ssh/sshd_config].
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sshd_config: Option<PathBuf>,
    /// Name what is in order too.
    #[arg(long)]
    pub all: bool,
    /// Say what to check first when nobody gets in, in order.
    #[arg(long)]
    pub locked_out: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_agree_with_themselves() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn what_help_says_in_rows_fits_into_eighty_columns() {
        let mut left = vec![CommandLine::command()];
        let mut seen = 0;
        while let Some(command) = left.pop() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                seen += 1;
                assert!(line.chars().count() < 80, "{}: {line}", command.get_name());
            }
            left.extend(command.get_subcommands().cloned());
        }
        assert!(seen > 40, "{seen}");
    }

    #[test]
    fn raw_takes_no_playing_flags() {
        let parse = |flags: &[&str]| CommandLine::try_parse_from([&["countersign", "replay", "x"], flags].concat());
        assert!(parse(&["--raw"]).is_ok());
        assert!(parse(&["--raw", "--markers"]).is_err());
        assert!(parse(&["--speed", "0"]).is_err());
        assert!(parse(&["--speed", "nan"]).is_err());
        assert!(parse(&["--state", "a", "--config", "b"]).is_err());
    }
}

/// The shell that would read a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum InnerShell {
    /// GNU bash.
    #[default]
    Bash,
    /// A POSIX shell: sh, dash, ash.
    Sh,
    /// Any other; every line is opaque.
    Other,
}

/// `analyze`
#[derive(Debug, Args)]
pub struct Analyze {
    /// Command lines, each one argument.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    pub lines: Vec<String>,
    /// Where they would run, absolute.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cwd: Option<String>,
    /// The home directory of the account, absolute.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub home: Option<String>,
    /// The shell that would read them.
    #[arg(long, value_enum, default_value_t)]
    pub shell: InnerShell,
    /// A host, *.name, address or network (10.0.0.0/8) that may be talked to; may be repeated.
    #[arg(long, value_name = "HOST")]
    pub known: Vec<String>,
}
