//! Starts the real program and talks to it.

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign-server");

/// A running service; ended with this value.
pub struct Service {
    pub dir: TempDir,
    pub url: String,
    pub http: Client,
    child: Child,
}

impl Service {
    pub fn start() -> Self {
        install_ring();
        Self::start_in(tempfile::tempdir().unwrap())
    }

    pub fn start_in(dir: TempDir) -> Self {
        Self::start_with(dir, &[])
    }

    /// With more flags for `serve`.
    pub fn start_with(dir: TempDir, more: &[&str]) -> Self {
        install_ring();
        let (child, url) = spawn(&dir.path().join("service"), &[&["--plain"], more].concat());
        Self { dir, url, http: Client::new(), child }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("service")
    }

    /// Ends it like a power cut and starts it again on the same state.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.url) = spawn(&self.state(), &["--plain"]);
        self.http = Client::new();
    }

    /// Ends it with SIGTERM; the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        terminate(&mut self.child)
    }

    pub fn reviewer(&self, name: &str) -> String {
        self.reviewer_with(name, &[])
    }

    pub fn reviewer_with(&self, name: &str, more: &[&str]) -> String {
        let state = self.state();
        let args = ["reviewer", "add", name, "--url", &self.url, "--state", state.to_str().unwrap()];
        let out = run(&[&args, more].concat());
        assert!(out.status.success(), "{out:?}");
        let text = String::from_utf8(out.stdout).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix("token = \"")).unwrap();
        line.trim_end_matches('"').to_owned()
    }

    pub fn enroll_token(&self, name: &str) -> String {
        let out = run(&["enroll-token", "--name", name, "--state", self.state().to_str().unwrap()]);
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str, token: &str) -> (StatusCode, Result<T, String>) {
        answer(self.request(Method::GET, path, token)).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &str,
        body: &impl Serialize,
    ) -> (StatusCode, Result<T, String>) {
        answer(self.request(Method::POST, path, token).json(body)).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have been ended by the test.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Status, and the body as `T` or as text.
pub async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> (StatusCode, Result<T, String>) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).map_err(|_| text))
}

pub fn install_ring() {
    rustls::crypto::ring::default_provider().install_default().ok();
}

pub fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

pub fn spawn(state: &Path, more: &[&str]) -> (Child, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--state"]).arg(state).args(more);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).trim().to_owned();
    (child, url)
}

pub fn terminate(child: &mut Child) -> Option<i32> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    child.wait().unwrap().code()
}
