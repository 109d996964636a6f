//! A trial's approval service: started on loopback, with its reviewers.

use super::daemon::{Daemon, Start, output};
use super::state::{Lock, StateDir, TRIAL_REVIEWER, name_like, write_private};
use crate::failure::Failure;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A running service, and the right to run it.
pub struct Service {
    daemon: Daemon,
    program: PathBuf,
    url: String,
    _lock: Lock,
}

impl Service {
    /// Starts the service of a trial and makes its reviewers' files say where it is.
    pub async fn start(state: &StateDir, lock: Lock, own: &Path, program: PathBuf) -> Result<Self, Failure> {
        let arguments = ["serve", "--plain", "--listen", "127.0.0.1:0", "--state"].map(Into::into).into_iter();
        let start = Start {
            own,
            program: &program,
            arguments: arguments.chain([state.service().into_os_string()]).collect(),
            name: "countersign-server",
            logs: state.logs(),
        };
        let (daemon, url) = Daemon::start(start, |line| line.strip_prefix("listening on ").map(str::to_owned)).await?;
        let service = Self { daemon, program, url, _lock: lock };
        match service.reviewers(state).await {
            Ok(()) => Ok(service),
            Err(failure) => {
                service.end().await;
                Err(failure)
            }
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A one-time token for a host.
    pub async fn enrol_token(&self, state: &StateDir, host: &str) -> Result<String, Failure> {
        let printed = self.ask(state, &["enroll-token", "--name", host]).await?;
        Ok(printed.trim().to_owned())
    }

    /// Writes the keys that this service and its hosts have, for `verify --trust`.
    pub async fn write_trust(&self, state: &StateDir) -> Result<(), Failure> {
        let printed = self.ask(state, &["trust"]).await?;
        write_private(&state.trust(), &printed)
    }

    /// Ends it.
    pub async fn end(self) {
        self.daemon.end().await;
    }

    async fn reviewers(&self, state: &StateDir) -> Result<(), Failure> {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let operator = name_like(&user.map(|user| user.name).unwrap_or_default(), "operator");
        self.reviewer(state, &operator, &state.reviewer(), &[]).await?;
        self.reviewer(state, TRIAL_REVIEWER, &state.trial_reviewer(), &["--trial"]).await
    }

    async fn reviewer(&self, state: &StateDir, name: &str, file: &Path, flags: &[&str]) -> Result<(), Failure> {
        if file.exists() {
            let text = std::fs::read_to_string(file).map_err(|e| Failure::io("read", file.display(), &e))?;
            return write_private(file, &moved_to(&text, &self.url));
        }
        let added = self.ask(state, &[&["reviewer", "add", name, "--url", &self.url], flags].concat()).await;
        let printed = added.map_err(|e| {
            let shown = file.display();
            Failure::Config(format!(
                "there is no {shown}, and no new one could be made; put it back, or use another --state DIR: {e}"
            ))
        })?;
        write_private(file, &printed)
    }

    async fn ask(&self, state: &StateDir, words: &[&str]) -> Result<String, Failure> {
        let dir = state.service();
        let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        arguments.extend([OsStr::new("--state"), dir.as_os_str()]);
        output(&self.program, &arguments).await
    }
}

/// A reviewer.toml with another address: a trial's port changes at each start.
fn moved_to(text: &str, url: &str) -> String {
    let is_service = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim() == "service");
    let line = |line: &str| if is_service(line) { format!("service = \"{url}\"\n") } else { format!("{line}\n") };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_changes() {
        let text = "service = \"http://127.0.0.1:1\"\ntoken = \"csr1.x\"\nname = \"service\"\n";
        let want = "service = \"http://127.0.0.1:2\"\ntoken = \"csr1.x\"\nname = \"service\"\n";
        assert_eq!(moved_to(text, "http://127.0.0.1:2"), want);
    }
}
