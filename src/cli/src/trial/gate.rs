//! A trial's host: enrolled once, serving the gated command.

use super::daemon::{Daemon, Start, output};
use super::programs::Programs;
use super::service::Service;
use super::state::{StateDir, name_like};
use crate::failure::Failure;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A running host daemon and its socket.
pub struct Gate {
    daemon: Daemon,
    folder: SocketFolder,
}

/// A short-lived private directory for the socket: a state directory's path
/// may be longer than a socket's may be (108 bytes).
struct SocketFolder(PathBuf);

impl Drop for SocketFolder {
    fn drop(&mut self) {
        // Left behind it would be an empty directory in /tmp: no harm, nobody to tell.
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

impl Gate {
    /// Enrols the host where it is new, and starts its daemon.
    pub async fn start(
        state: &StateDir,
        programs: &Programs,
        service: &Service,
        wait_seconds: u32,
    ) -> Result<Self, Failure> {
        if !state.host().join("host.json").exists() {
            enrol(state, programs, service).await?;
        }
        let folder = socket_folder()?;
        let socket = folder.0.join("hostd.sock");
        let wait_ms = (u64::from(wait_seconds) * 1000).to_string();
        let arguments = vec![
            "serve".into(),
            "--trial".into(),
            "--state".into(),
            state.host().into_os_string(),
            "--socket".into(),
            socket.into_os_string(),
            "--service".into(),
            service.url().into(),
            "--wait-ms".into(),
            wait_ms.into(),
        ];
        let start = Start {
            own: &programs.own,
            program: &programs.host,
            arguments,
            name: "countersign-hostd",
            logs: state.logs(),
        };
        let (daemon, _) = Daemon::start(start, |line| (line == "ready").then(String::new)).await?;
        Ok(Self { daemon, folder })
    }

    /// Where fronts connect.
    pub fn socket(&self) -> PathBuf {
        self.folder.0.join("hostd.sock")
    }

    /// Ends the daemon and removes the socket.
    pub async fn end(self) {
        self.daemon.end().await;
    }
}

async fn enrol(state: &StateDir, programs: &Programs, service: &Service) -> Result<(), Failure> {
    let machine = nix::unistd::gethostname().unwrap_or_default();
    let name = name_like(&machine.to_string_lossy(), "localhost");
    let token = service.enrol_token(state, &name).await?;
    let dir = state.host();
    let words = ["enroll", "--trial", "--service", service.url(), "--token", &token, "--name", &name, "--state"];
    let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    arguments.push(dir.as_os_str());
    output(&programs.host, &arguments).await.map(drop)
}

fn socket_folder() -> Result<SocketFolder, Failure> {
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute() && p.is_dir());
    let made = |base: &Path| nix::unistd::mkdtemp(&base.join("countersign-XXXXXX"));
    let short = named.filter(|base| base.as_os_str().len() < 64).and_then(|base| made(&base).ok());
    match short.map_or_else(|| made(Path::new("/tmp")), Ok) {
        Ok(path) => Ok(SocketFolder(path)),
        Err(error) => Err(Failure::Io(format!("cannot make a directory for the socket in /tmp: {error}"))),
    }
}
