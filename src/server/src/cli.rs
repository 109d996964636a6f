//! Flags and subcommands.

use crate::own_ledger::{Act, OwnLedger};
use crate::recording_files::{MIB, Quotas};
use crate::serve::{self, Protection};
use crate::state::StateDir;
use crate::store::reviewers::{self, Enrolled};
use crate::store::{StoreError, add_enroll_token, add_reviewer as add_reviewer_to, person_of, rules};
use crate::{ServerError, app, forks, rule_desk, token, trust};
use clap::{Args, Parser, Subcommand};
use countersign_core::{Class, HostId, Name, ServiceId};
use countersign_ledger::{Admins, InProcessSigner, Kind, Signer as _};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The approval service of Countersign: it keeps what hosts record, asks
/// reviewers, and signs what they decide.
#[derive(Debug, Parser)]
#[command(name = "countersign-server", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM. Prints `listening on URL` when it does.
    Serve(Serve),
    /// Manage reviewers.
    Reviewer {
        #[command(subcommand)]
        command: ReviewerCommand,
    },
    /// Print a one-time token that enrols a host within 24 hours.
    EnrollToken {
        /// The name that the host will have.
        #[arg(long, value_name = "HOST")]
        name: Name,
        /// How much harm it can come to: critical, high, medium or low (docs/POLICY.md).
        #[arg(long, value_name = "CLASS", default_value = "high")]
        class: Class,
        /// The id of the host of this name, which has lost its identity key: another takes its place.
        #[arg(long, value_name = "HOST_ID")]
        lost: Option<HostId>,
        #[command(flatten)]
        state: State,
    },
    /// End a rule, where a service does not start because it cannot be read.
    EndRule {
        /// Its number.
        #[arg(value_name = "ID")]
        id: u64,
        #[command(flatten)]
        state: State,
    },
    /// List the hosts that signed two histories, and write out the evidence for `countersign verify`.
    Forks {
        #[command(flatten)]
        state: State,
        /// Write a file for each fork here: what the service holds up to it, then the other line.
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
    /// Print the service's own ledger, for `countersign verify FILE.jsonl`.
    Ledger {
        #[command(flatten)]
        state: State,
    },
    /// Print the trust file that `countersign verify --trust` reads.
    Trust {
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Args)]
struct State {
    /// Directory of the service: database, keys, recordings.
    #[arg(long = "state", value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    state: State,
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Certificate chain, PEM. Without it a self-signed one is made in DIR.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// No TLS; only on a loopback address.
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    plain: bool,
    /// How much is kept of the recordings of one login; more is refused.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    recording_mib_per_login: u64,
    /// How much is kept of the recordings of one host; more is refused.
    #[arg(long, value_name = "MIB", default_value_t = 50 * 1024)]
    recording_mib_per_host: u64,
    /// How much of the disk stays free for ledgers and decisions: recordings are refused then.
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    keep_free_mib: u64,
    /// Connections at a time; more are closed at once.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Public keys of administrators, one a line: what hosts erase or redact is taken out here only where
    /// they have signed it. Without it, by the word of the host.
    #[arg(long, value_name = "FILE")]
    removal_admins: Option<PathBuf>,
    /// How many of them must have signed.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "removal_admins")]
    removal_admins_needed: usize,
    /// How long the head of a request may take.
    #[arg(long, hide = true, value_name = "SECONDS", default_value_t = 30)]
    head_seconds: u64,
}

#[derive(Debug, Subcommand)]
enum ReviewerCommand {
    /// Add a reviewer and print the reviewer.toml that holds the token (shown once).
    Add {
        /// The reviewer's name.
        name: Name,
        /// The reviewer whose second name it is, on another device for instance: where people are counted, both are one.
        #[arg(long, value_name = "REVIEWER")]
        person: Option<Name>,
        #[command(flatten)]
        state: State,
        /// The service's URL as the reviewer reaches it.
        #[arg(long)]
        url: String,
        /// The built-in reviewer of a trial.
        #[arg(long, hide = true)]
        trial: bool,
    },
    /// List reviewers, those who were removed too.
    List {
        #[command(flatten)]
        state: State,
    },
    /// Print another reviewer.toml for a reviewer; the token before is refused from then on.
    Rotate {
        /// The reviewer's name.
        name: Name,
        #[command(flatten)]
        state: State,
        /// The service's URL as the reviewer reaches it.
        #[arg(long)]
        url: String,
    },
    /// Remove a reviewer for good: the token is refused, and approvals of what still waits do not count.
    Remove {
        /// The reviewer's name.
        name: Name,
        #[command(flatten)]
        state: State,
    },
}

/// The name of the built-in reviewer of a trial.
const TRIAL_REVIEWER: &str = "trial-reviewer";
/// How long an enrolment token is good.
const TOKEN_LIFE_MS: i64 = 24 * 60 * 60 * 1000;

/// Does what the flags say.
pub async fn run(cli: Cli) -> Result<(), ServerError> {
    match cli.command {
        Command::Serve(flags) => {
            let protection = match (flags.tls_cert, flags.tls_key) {
                (Some(chain), Some(key)) => Protection::Certificate { chain, key },
                _ if flags.plain => Protection::Plain,
                _ => Protection::OwnCertificate,
            };
            let quotas = Quotas {
                per_login: flags.recording_mib_per_login.saturating_mul(MIB),
                per_host: flags.recording_mib_per_host.saturating_mul(MIB),
                keep_free: flags.keep_free_mib.saturating_mul(MIB),
            };
            let connections = usize::from(flags.connections);
            let head = Duration::from_secs(flags.head_seconds);
            let removal_admins = flags.removal_admins.map(|file| admins(&file, flags.removal_admins_needed));
            let removal_admins = removal_admins.transpose()?;
            let settings =
                serve::Settings { listen: flags.listen, protection, quotas, connections, head, removal_admins };
            serve::serve(StateDir::open(&flags.state.dir)?, settings).await
        }
        Command::Reviewer { command } => reviewer(command).await,
        Command::EnrollToken { name, class, lost, state } => {
            enroll_token(&StateDir::existing(&state.dir)?, &name, class, lost).await
        }
        Command::EndRule { id, state } => end_rule(&StateDir::existing(&state.dir)?, id).await,
        Command::Forks { state, out } => {
            let (store, ..) = serve::open_parts(&StateDir::existing(&state.dir)?).await?;
            let told = forks::write(&store, out.as_deref()).await?;
            store.close().await;
            if told.is_empty() {
                // Nothing for programs to read; a person would wonder.
                std::io::stderr().write_all(b"no host has signed two histories\n").unwrap_or_default();
            }
            print(&told)
        }
        Command::Ledger { state } => print_ledger(&StateDir::existing(&state.dir)?).await,
        Command::Trust { state } => print_trust(&StateDir::existing(&state.dir)?).await,
    }
}

fn admins(file: &Path, needed: usize) -> Result<Admins, ServerError> {
    let failed = |why: &dyn std::fmt::Display| ServerError::Usage(format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|why| failed(&why))?;
    Admins::parse(&text, needed).map_err(|why| failed(&why))
}

async fn reviewer(command: ReviewerCommand) -> Result<(), ServerError> {
    match command {
        ReviewerCommand::Add { name, person, state, url, trial } => {
            add_reviewer(&StateDir::open(&state.dir)?, (&name, person.as_ref()), &url, trial).await
        }
        ReviewerCommand::List { state } => list_reviewers(&StateDir::existing(&state.dir)?).await,
        ReviewerCommand::Rotate { name, state, url } => {
            rotate_reviewer(&StateDir::existing(&state.dir)?, &name, &url).await
        }
        ReviewerCommand::Remove { name, state } => remove_reviewer(&StateDir::existing(&state.dir)?, &name).await,
    }
}

async fn list_reviewers(state: &StateDir) -> Result<(), ServerError> {
    let (store, ..) = serve::open_parts(state).await?;
    let rows = store.reviewers().await?;
    store.close().await;
    let at = |ms: i64| countersign_core::format_utc_micros(ms.saturating_mul(1000)).unwrap_or_default();
    let line = |row: &Enrolled| {
        let whose = if row.person == row.name { String::new() } else { format!(", a name of {}", row.person) };
        let end = row.removed_at_ms.map_or_else(String::new, |ms| format!(", removed {}", at(ms)));
        format!("{}{whose}, added {}{end}\n", row.name, at(row.added_at_ms))
    };
    print(&rows.iter().map(line).collect::<String>())
}

fn no_reviewer(name: &Name) -> ServerError {
    ServerError::Usage(format!("there is no reviewer {name}; `reviewer list` shows them"))
}

async fn rotate_reviewer(state: &StateDir, name: &Name, url: &str) -> Result<(), ServerError> {
    let fingerprint = state.fingerprint()?;
    check_url(url, fingerprint.is_some())?;
    let token = token::new_reviewer_token()?;
    let (store, service, signer) = serve::open_parts(state).await?;
    let mut tx = store.write().await?;
    if !reviewers::rotate(&mut tx, name, &token::hash(&token)).await? {
        return Err(no_reviewer(name));
    }
    let act = Act::new(Kind::AdminAct, "reviewer_token_rotated", None).about(name);
    own_ledger(service, signer).record(&mut tx, &act).await?;
    tx.commit().await.map_err(StoreError::from)?;
    store.close().await;
    print_reviewer_file(name, url, &token, fingerprint)
}

async fn remove_reviewer(state: &StateDir, name: &Name) -> Result<(), ServerError> {
    let (store, service, signer) = serve::open_parts(state).await?;
    let mut tx = store.write().await?;
    if !reviewers::remove(&mut tx, name, app::now_ms()).await? {
        return Err(no_reviewer(name));
    }
    let others = reviewers::other_names(&mut tx, name).await?;
    let act = Act::new(Kind::AdminAct, "reviewer_removed", None).about(name);
    own_ledger(service, signer).record(&mut tx, &act).await?;
    tx.commit().await.map_err(StoreError::from)?;
    store.close().await;
    // A person who leaves leaves with all names.
    print(&others.iter().map(|other| format!("the same person is still {other}\n")).collect::<String>())
}

async fn add_reviewer(
    state: &StateDir,
    (name, second_of): (&Name, Option<&Name>),
    url: &str,
    trial: bool,
) -> Result<(), ServerError> {
    // `timeout` is a decider of its own in statements.
    if name.as_str() == "timeout" || (name.as_str() == TRIAL_REVIEWER && !trial) {
        return Err(ServerError::Usage(format!("the name {name} is reserved; choose another")));
    }
    if trial && name.as_str() != TRIAL_REVIEWER {
        return Err(ServerError::Usage(format!("--trial adds the reviewer {TRIAL_REVIEWER} and no other")));
    }
    let fingerprint = state.fingerprint()?;
    check_url(url, fingerprint.is_some())?;
    let token = token::new_reviewer_token()?;
    let (store, service, signer) = serve::open_parts(state).await?;
    let mut tx = store.write().await?;
    let person = match second_of {
        // A name nobody has would make one more person of them.
        Some(first) => person_of(&mut tx, first)
            .await?
            .ok_or_else(|| ServerError::Usage(format!("there is no reviewer {first}; add them first")))?,
        None => name.clone(),
    };
    if !add_reviewer_to(&mut tx, (name, &person), &token::hash(&token), trial, app::now_ms()).await? {
        return Err(ServerError::Usage(format!("there is or was a reviewer {name} already; choose another name")));
    }
    let act = Act::new(Kind::AdminAct, "reviewer_added", None).about(name);
    let act = if person == *name { act } else { act.detail(format!("a name of {person}")) };
    own_ledger(service, signer).record(&mut tx, &act).await?;
    tx.commit().await.map_err(StoreError::from)?;
    store.close().await;
    print_reviewer_file(name, url, &token, fingerprint)
}

fn print_reviewer_file(name: &Name, url: &str, token: &str, fingerprint: Option<String>) -> Result<(), ServerError> {
    let pinned = match fingerprint {
        Some(fingerprint) if url.starts_with("https://") => format!("fingerprint = \"{fingerprint}\"\n"),
        Some(_) | None => String::new(),
    };
    print(&format!("service = \"{url}\"\nname = \"{name}\"\ntoken = \"{token}\"\n{pinned}"))
}

/// https with a certificate to pin, or http on loopback.
fn check_url(url: &str, has_certificate: bool) -> Result<(), ServerError> {
    let plain = url.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or("").to_owned();
    if let Some(rest) = url.strip_prefix("https://").filter(|_| plain) {
        if host(rest).is_empty() {
            return Err(ServerError::Usage(format!("--url {url} names no host")));
        }
        if !has_certificate {
            return Err(ServerError::Usage(
                "there is no certificate to pin yet; run `countersign-server serve` on this state once, then add reviewers"
                    .to_owned(),
            ));
        }
        return Ok(());
    }
    let loopback = |rest: &str| {
        let host = host(rest);
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
        matches!(name.map_or(host.as_str(), |(name, _)| name), "127.0.0.1" | "localhost" | "[::1]")
    };
    if plain && url.strip_prefix("http://").is_some_and(loopback) {
        return Ok(());
    }
    Err(ServerError::Usage(format!(
        "--url {url}: use https://HOST:PORT, or http:// with 127.0.0.1, localhost or [::1]"
    )))
}

/// The one change of rules that needs no service: it must not run.
async fn end_rule(state: &StateDir, id: u64) -> Result<(), ServerError> {
    let _lock = state.lock()?;
    let (store, service, signer) = serve::open_parts(state).await?;
    let mut tx = store.write().await?;
    let none = || ServerError::Usage(format!("no rule {id} is in force"));
    let rows = rules::live(&mut tx).await?;
    let kind = rows.iter().find(|row| row.id == id && row.state == "active").ok_or_else(none)?;
    let kind = rule_desk::kind_of(&kind.kind);
    if rules::end(&mut tx, id, "active", None, app::now_ms()).await? == 0 {
        return Err(none());
    }
    let act = Act::new(kind, "ended", None).about(id);
    own_ledger(service, signer).record(&mut tx, &act).await?;
    tx.commit().await.map_err(StoreError::from)?;
    store.close().await;
    Ok(())
}

async fn enroll_token(state: &StateDir, name: &Name, class: Class, lost: Option<HostId>) -> Result<(), ServerError> {
    let token = token::new_enroll_token(state.fingerprint()?.as_deref())?;
    let (store, service, signer) = serve::open_parts(state).await?;
    match (store.host_named(name).await?, lost) {
        (None, None) => {}
        (known, Some(lost)) if known == Some(lost) => {}
        (known, Some(lost)) => {
            let known = known.map_or_else(|| "none".to_owned(), |known| known.to_string());
            return Err(ServerError::Usage(format!("the host of the name {name} is {known}, not {lost}")));
        }
        (Some(known), None) => {
            return Err(ServerError::Usage(format!(
                "a host {name} is enrolled already; choose another name, or, if it has lost its identity key: --lost {known}"
            )));
        }
    }
    let now = app::now_ms();
    let mut tx = store.write().await?;
    add_enroll_token(&mut tx, &token::hash(&token), (name, class, lost), now, now + TOKEN_LIFE_MS).await?;
    let mut act = Act::new(Kind::AdminAct, "enroll_token_made", None).about(name);
    if let Some(lost) = lost {
        act = act.detail(format!("{lost} has lost its identity key"));
    }
    own_ledger(service, signer).record(&mut tx, &act).await?;
    tx.commit().await.map_err(StoreError::from)?;
    store.close().await;
    print(&format!("{token}\n"))
}

fn own_ledger(service: ServiceId, signer: InProcessSigner) -> OwnLedger {
    OwnLedger::new(service, Arc::new(Mutex::new(Box::new(signer))))
}

/// Lines that are read at a time.
const LINES: u32 = 1000;

async fn print_ledger(state: &StateDir) -> Result<(), ServerError> {
    let (store, ..) = serve::open_parts(state).await?;
    let mut from = 0;
    loop {
        let lines = store.own_lines(from, LINES).await?;
        if lines.is_empty() {
            break;
        }
        from += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    }
    store.close().await;
    Ok(())
}

async fn print_trust(state: &StateDir) -> Result<(), ServerError> {
    let (store, service, signer) = serve::open_parts(state).await?;
    let file = trust::trust_file(&store, service, signer.public_key()).await?;
    store.close().await;
    print(&format!("{}\n", file.to_json().map_err(trust::NoTrustFile::from)?))
}

fn print(text: &str) -> Result<(), ServerError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ServerError::Print)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_make_sense() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn tokens_travel_over_tls_or_loopback_only() {
        for url in ["http://127.0.0.1:8443", "http://localhost:1/x", "http://[::1]:80", "http://localhost"] {
            assert!(check_url(url, false).is_ok(), "{url}");
        }
        for url in
            ["http://10.0.0.1:80", "http://localhost.evil:80", "http://127.0.0.1@evil", "ftp://x", "", "https://"]
        {
            assert!(check_url(url, true).is_err(), "{url}");
        }
        assert!(check_url("https://ops.example:8443", false).is_err());
        assert!(check_url("https://ops.example:8443", true).is_ok());
        assert!(check_url("https://ops.example/\"\ntoken=", true).is_err());
    }
}
