//! What can be typed after `countersign rules`.

use super::Where;
use clap::{ArgGroup, Args, Subcommand, ValueEnum, ValueHint};
use countersign_core::Class;
use std::path::PathBuf;

/// `rules`
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Show rules that are in force or wait for approval.
    List(Where),
    /// Show every text that a rule ever had, who looked at it, and how it ended.
    Show {
        /// Its number, as in `countersign rules list` or `whitelist_rule:N`; 0 is the settings.
        #[arg(value_name = "N")]
        id: u64,
        /// Where to ask.
        #[command(flatten)]
        at: Where,
    },
    /// Add a rule. One that allows waits for a second person where there are two or more reviewers; one that denies
    /// or asks is in force at once.
    Add(Box<Add>),
    /// Give one agent a rule for a while.
    Grant(Box<Grant>),
    /// Say what would become of a command line, step by step. Nothing is run.
    Test(Test),
    /// Propose rules that history suggests. Nothing is applied.
    Suggest(Where),
    /// Put proposed rules in force. Not your own.
    Approve(Texts),
    /// Say that you looked at rules and they are still right.
    Review(Numbers),
    /// End rules.
    Expire(Numbers),
    /// Take rules from a TOML file: all of them, or none.
    Import(Import),
    /// Print the rules in force as a TOML file.
    Export(Where),
    /// Check a TOML file of rules with its examples, without a service.
    Check {
        /// The file.
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EffectWord {
    /// Lets pass.
    Allow,
    /// Refuses.
    Deny,
    /// Brings to a person, whatever else would let it pass.
    Ask,
}

/// What a rule speaks for.
#[derive(Debug, Default, Args)]
pub struct Speaks {
    /// A command line that may run whenever exactly this line is submitted.
    #[arg(long, value_name = "LINE")]
    pub exact: Option<String>,
    /// A pattern of one command, as in `docker pull ghcr.io/myorg/api:*` (docs/POLICY.md); may be repeated.
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub patterns: Vec<String>,
    /// The inner shell that it is written for.
    #[arg(long, value_name = "SHELL", default_value = countersign_api::service::DEFAULT_SHELL)]
    pub shell: String,
    /// Let it pass on a terminal too, where many programs offer a shell or a pager:
    /// lines that name one of those are refused.
    #[arg(long)]
    pub on_terminal: bool,
}

/// `rules add`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["exact", "patterns", "secrets", "anomalies", "agents"])))]
pub struct Add {
    /// What it speaks for.
    #[command(flatten)]
    pub speaks: Speaks,
    /// What it does.
    #[arg(long, value_name = "EFFECT", default_value = "allow")]
    pub effect: EffectWord,
    /// A kind of secret or personal data (`*`: any) that it denies or asks about; may be repeated.
    #[arg(long = "secret", value_name = "KIND")]
    pub secrets: Vec<String>,
    /// An anomaly flag that it denies or asks about; may be repeated.
    #[arg(long = "anomaly", value_name = "FLAG")]
    pub anomalies: Vec<String>,
    /// Only for this agent; `*` for a part of a name; may be repeated. With `--effect deny` or `ask` it may stand
    /// alone: all lines of that agent.
    #[arg(long = "agent", value_name = "NAME")]
    pub agents: Vec<String>,
    /// Only on this target; `*` for a part of a name; may be repeated.
    #[arg(long = "target", value_name = "HOST")]
    pub targets: Vec<String>,
    /// Only on targets of this class; may be repeated.
    #[arg(long = "class", value_name = "CLASS")]
    pub classes: Vec<Class>,
    /// Only in this directory or under it; may be repeated.
    #[arg(long, value_name = "DIR")]
    pub cwd: Vec<String>,
    /// A file that output may go to, as in /srv/logs/*; may be repeated.
    #[arg(long, value_name = "PATH")]
    pub writes: Vec<String>,
    /// A variable that may be set, as in TZ=*; may be repeated.
    #[arg(long = "assign", value_name = "NAME=PATTERN")]
    pub assignments: Vec<String>,
    /// Until when: a UTC date or time.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// How many lines it may let pass.
    #[arg(long, value_name = "N")]
    pub uses: Option<u64>,
    /// Who answers for it.
    #[arg(long, value_name = "TEXT")]
    pub owner: Option<String>,
    /// Why it is there.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// A line that it must speak for; may be repeated.
    #[arg(long = "match", value_name = "LINE")]
    pub matches: Vec<String>,
    /// A line that it must not speak for; may be repeated.
    #[arg(long = "no-match", value_name = "LINE")]
    pub no_match: Vec<String>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `rules grant`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["exact", "patterns"])))]
pub struct Grant {
    /// What it speaks for.
    #[command(flatten)]
    pub speaks: Speaks,
    /// The one agent.
    #[arg(long, value_name = "NAME")]
    pub agent: String,
    /// The one target.
    #[arg(long, value_name = "HOST")]
    pub target: String,
    /// Only in this work session.
    #[arg(long, value_name = "NAME")]
    pub session: Option<String>,
    /// For how long: 15m, 2h; at most 24h.
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = minutes)]
    pub minutes: u32,
    /// How many lines it may let pass.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub uses: u64,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `rules test`
#[derive(Debug, Args)]
pub struct Test {
    /// The command line.
    #[arg(value_name = "CMD", allow_hyphen_values = true)]
    pub line: String,
    /// The agent that would submit it.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub agent: String,
    /// The target it would run on.
    #[arg(long, value_name = "HOST")]
    pub target: Option<String>,
    /// The inner shell that would run it.
    #[arg(long, value_name = "SHELL", default_value = countersign_api::service::DEFAULT_SHELL)]
    pub shell: String,
    /// As if the login had a terminal.
    #[arg(long)]
    pub on_terminal: bool,
    /// The directory it would run in.
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub cwd: String,
    /// The work session.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub session: String,
    /// Try it on the rules of this file instead of a service's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["state", "config"])]
    pub file: Option<PathBuf>,
    /// With --file: the class of the target.
    #[arg(long, value_name = "CLASS", requires = "file", default_value = "high")]
    pub class: Class,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// Texts of rules.
#[derive(Debug, Args)]
pub struct Texts {
    /// Numbers as `rules list` shows them: 7, or 7:2 for its second text; 0 is the settings.
    #[arg(required = true, value_name = "NUMBER", value_parser = text)]
    pub texts: Vec<(u64, u64)>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `7` or `7:2`.
fn text(text: &str) -> Result<(u64, u64), String> {
    let (id, revision) = text.split_once(':').unwrap_or((text, "1"));
    let number = |part: &str| part.parse().map_err(|_| "write a number as `rules list` shows it: 7, or 7:2".to_owned());
    Ok((number(id)?, number(revision)?))
}

/// Rules by number.
#[derive(Debug, Args)]
pub struct Numbers {
    /// Numbers as `rules list` shows them; 0 is the settings.
    #[arg(required = true, value_name = "NUMBER")]
    pub ids: Vec<u64>,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// `rules import`
#[derive(Debug, Args)]
pub struct Import {
    /// The file.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where the service is.
    #[command(flatten)]
    pub at: Where,
}

/// Reads `90s` (rounded up), `15m`, `2h` as minutes.
pub(super) fn minutes(text: &str) -> Result<u32, String> {
    let bad = || "write a time like 15m or 2h, at most 24h".to_owned();
    let unit = text.chars().last().ok_or_else(bad)?;
    let number: u32 = text.strip_suffix(unit).and_then(|n| n.parse().ok()).ok_or_else(bad)?;
    let minutes = match unit {
        's' => number.div_ceil(60),
        'm' => number,
        'h' => number.checked_mul(60).ok_or_else(bad)?,
        _ => return Err(bad()),
    };
    if (1..=24 * 60).contains(&minutes) { Ok(minutes) } else { Err(bad()) }
}
