//! Service, host and front under one uid, started one by one, so that a test can kill, replace or misconfigure
//! each.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{HOSTD, SERVER, SHELL, program};
use crate::reviewer::Reviewer;
use crate::run::{Daemon, Ended, run};
use crate::scratch::Scratch;
use crate::trial::verify;

/// How long an answer counts in these tests, in ms, unless they say otherwise.
pub const WAIT_MS: u64 = 20_000;

/// Everything that one host and its service keep.
pub struct Parts {
    /// Where it is.
    pub scratch: Scratch,
    /// The service, while it runs.
    pub service: Option<Daemon>,
    /// The host daemon, while it runs.
    pub host: Option<Daemon>,
    /// How long an answer counts, in ms.
    pub wait_ms: u64,
    /// Submissions of one agent a minute; none given leaves the default.
    pub submissions_per_minute: Option<u64>,
    /// The four numbers of `[recording]`; none given leaves the default.
    pub recording_limits: Option<String>,
}

impl Parts {
    /// A service of ours and an enrolled host, both running.
    pub fn new() -> Self {
        Self::waiting(WAIT_MS)
    }

    /// The same, with answers that count so long.
    pub fn waiting(wait_ms: u64) -> Self {
        Self::without_service(wait_ms).with_service()
    }

    /// The same, for so many submissions of one agent a minute.
    pub fn with_quota(submissions_per_minute: u64) -> Self {
        let mut parts = Self::without_service(WAIT_MS);
        parts.submissions_per_minute = Some(submissions_per_minute);
        parts.with_service()
    }

    /// The same, with these limits of recordings: of a login, of an agent a day, what is kept free, and what an agent
    /// may have a day below that.
    pub fn with_recordings_of(limits: [u64; 4]) -> Self {
        let mut parts = Self::without_service(WAIT_MS);
        parts.recording_limits = Some(limits.map(|limit| limit.to_string()).join(","));
        parts.with_service()
    }

    fn with_service(self) -> Self {
        let mut parts = self;
        let url = parts.start_service("127.0.0.1:0");
        parts.make_reviewer(&url);
        let token = parts.server(&["enroll-token", "--name", "test-host"]).expect(0).out();
        parts.enroll(&url, token.trim()).expect(0);
        parts.start_host();
        parts
    }

    /// Nothing running and nothing enrolled.
    pub fn without_service(wait_ms: u64) -> Self {
        let scratch = Scratch::new();
        for dir in ["work", "host", "service"] {
            std::fs::create_dir(scratch.join(dir)).expect("directory");
            std::fs::set_permissions(scratch.join(dir), std::fs::Permissions::from_mode(0o700)).expect("mode");
        }
        Self { scratch, service: None, host: None, wait_ms, submissions_per_minute: None, recording_limits: None }
    }

    /// The host's state directory.
    pub fn host_dir(&self) -> PathBuf {
        self.scratch.join("host")
    }

    /// The host's journal.
    pub fn journal(&self) -> PathBuf {
        self.host_dir().join("journal")
    }

    /// Where the host listens.
    pub fn socket(&self) -> PathBuf {
        self.scratch.join("front.sock")
    }

    /// A path for commands to leave something at.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.join("work").join(name)
    }

    /// Runs `countersign-server ARGS --state DIR`.
    #[track_caller]
    pub fn server(&self, args: &[&str]) -> Ended {
        run(Command::new(program(SERVER)).args(args).arg("--state").arg(self.scratch.join("service")))
    }

    /// `countersign-server serve` at this address, not yet run.
    pub fn service_command(&self, listen: &str) -> Command {
        let mut command = Command::new(program(SERVER));
        command.args(["serve", "--plain", "--listen", listen, "--state"]).arg(self.scratch.join("service"));
        command
    }

    /// Starts the service; the address it says it listens on.
    #[track_caller]
    pub fn start_service(&mut self, listen: &str) -> String {
        let daemon = Daemon::start(&mut self.service_command(listen), &self.scratch.join("service.log"));
        let url = daemon.ready.strip_prefix("listening on ").unwrap_or_else(|| panic!("{}", daemon.ready)).to_owned();
        self.service = Some(daemon);
        url
    }

    /// Adds the reviewer `ops-lead` at this address.
    #[track_caller]
    pub fn make_reviewer(&self, url: &str) {
        let config = self.server(&["reviewer", "add", "ops-lead", "--url", url]).expect(0).out();
        write_private(&self.scratch.join("reviewer.toml"), &config);
    }

    /// The reviewer `ops-lead`.
    pub fn reviewer(&self) -> Reviewer {
        Reviewer::with_config(&self.scratch.join("reviewer.toml"))
    }

    /// Runs `countersign-hostd enroll`.
    #[track_caller]
    pub fn enroll(&self, url: &str, token: &str) -> Ended {
        run(Command::new(program(HOSTD))
            .args(["enroll", "--trial", "--service", url, "--token", token, "--name", "test-host", "--state"])
            .arg(self.host_dir()))
    }

    /// `countersign-hostd serve` with this trial's paths, not yet run.
    pub fn host_command(&self) -> Command {
        let mut command = Command::new(program(HOSTD));
        command.args(["serve", "--trial", "--state"]).arg(self.host_dir());
        command.arg("--socket").arg(self.socket()).args(["--wait-ms", &self.wait_ms.to_string()]);
        if let Some(most) = self.submissions_per_minute {
            command.args(["--submissions-per-minute", &most.to_string()]);
        }
        if let Some(limits) = &self.recording_limits {
            command.args(["--recording-limits", limits]);
        }
        command
    }

    /// `countersign-hostd ARGS` on this trial's ledger, not yet run.
    pub fn hostd(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program(HOSTD));
        command.args(args).args(["--trial", "--state"]).arg(self.host_dir());
        command
    }

    /// Stops the host in order: everything is sent and cosigned then.
    #[track_caller]
    pub fn stop_host(&mut self) {
        assert_eq!(self.host.take().expect("a host").terminate(), 0);
    }

    /// Starts the host, which takes no word but that of these administrators and whom they name.
    #[track_caller]
    pub fn start_host_under(&mut self, authority: &Path, admins: &Path) {
        let mut command = self.host_command();
        command.arg("--authority").arg(authority).arg("--admins").arg(admins);
        self.host = Some(Daemon::start(&mut command, &self.scratch.join("host.log")));
    }

    /// Starts the host.
    #[track_caller]
    pub fn start_host(&mut self) {
        let daemon = Daemon::start(&mut self.host_command(), &self.scratch.join("host.log"));
        assert_eq!(daemon.ready, "ready");
        self.host = Some(daemon);
    }

    /// `countersign-sh -c LINE` as a trial runs it, not yet run.
    pub fn front(&self, line: &str) -> Command {
        front(&self.socket(), &self.scratch.join("work"), line)
    }

    /// Writes a trust file by asking the service; where it is.
    #[track_caller]
    pub fn trust(&self) -> PathBuf {
        let path = self.scratch.join("trust.json");
        std::fs::write(&path, self.server(&["trust"]).expect(0).stdout).expect("trust file");
        path
    }

    /// `countersign verify` of the host's state with the service's trust file.
    #[track_caller]
    pub fn verify(&self) -> Ended {
        verify(&self.host_dir(), Some(&self.trust()))
    }

    /// The only recording.
    #[track_caller]
    pub fn recording(&self) -> PathBuf {
        let found: Vec<_> =
            std::fs::read_dir(self.host_dir().join("recordings")).expect("recordings").flatten().collect();
        assert_eq!(found.len(), 1, "one recording");
        found[0].path()
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

/// `countersign-sh --trial -c LINE` at this socket, not yet run.
pub fn front(socket: &Path, work: &Path, line: &str) -> Command {
    let mut command = Command::new(program(SHELL));
    command.arg("--trial").arg("--socket").arg(socket).args(["--path", "/usr/local/bin:/usr/bin:/bin"]);
    command.args(["--inner-shell", "bash", "-c", line]).current_dir(work);
    command
}

/// Writes a file that only its owner may read.
pub fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("mode");
}
