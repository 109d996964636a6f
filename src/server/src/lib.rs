//! The approval service: keeps hosts' ledgers, asks reviewers, signs decisions.
//!
//! Reading order: `cli` → `serve` → `routes` → `desk` (a submission's
//! life) → `ingest` (a line's life) → `store` (all SQL).
//!
//! It never runs anything, and nothing unclear here becomes an approval: a
//! decision exists once it is signed and committed, not before.
#![forbid(unsafe_code)]

mod app;
mod auth;
mod checkpoints;
mod cli;
mod connections;
mod desk;
mod facts;
mod forks;
mod in_force;
mod ingest;
mod own_ledger;
mod recording_files;
mod refusal;
mod routes;
mod rule_desk;
mod serve;
mod state;
mod store;
mod suggestions;
mod tls;
mod token;
mod triage;
mod trust;

use clap::Parser as _;
use countersign_core::Exit;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Why the program ends. The text says what to do.
#[derive(Debug, thiserror::Error)]
enum ServerError {
    #[error("{0}")]
    Usage(String),
    #[error(
        "--plain is for loopback addresses only and {listen} is not one; leave --plain out to serve TLS, or listen on 127.0.0.1"
    )]
    PlainBeyondLoopback { listen: SocketAddr },
    #[error(transparent)]
    State(#[from] state::StateError),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error(transparent)]
    Ledger(#[from] own_ledger::NotRecorded),
    #[error(transparent)]
    Trust(#[from] trust::NoTrustFile),
    #[error(transparent)]
    Random(#[from] countersign_ledger::RandomError),
    #[error("the stored rules: {0}")]
    Rules(String),
    #[error("listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: std::io::Error },
    #[error("print: {0}")]
    Print(std::io::Error),
    #[error("start the runtime: {0}")]
    Runtime(std::io::Error),
}

impl ServerError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::PlainBeyondLoopback { .. } => Exit::Usage,
            Self::State(_) | Self::Tls(_) => Exit::Config,
            Self::Store(_) | Self::Ledger(_) | Self::Trust(_) | Self::Listen { .. } => Exit::Unavailable,
            Self::Random(_) | Self::Rules(_) | Self::Print(_) | Self::Runtime(_) => Exit::Internal,
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { Exit::Usage.code() } else { 0 };
            return if error.print().is_ok() { code.into() } else { Exit::Internal.code().into() };
        }
    };
    log_to_stderr();
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let said = writeln!(std::io::stderr().lock(), "countersign-server: {error}");
            let exit = if said.is_ok() { error.exit() } else { Exit::Internal };
            exit.code().into()
        }
    }
}

fn start(cli: cli::Cli) -> Result<(), ServerError> {
    // The second of two installs fails and changes nothing: there is a provider then.
    rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServerError::Runtime)?;
    runtime.block_on(cli::run(cli))
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("COUNTERSIGN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
}
