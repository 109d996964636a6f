//! `reviewer.toml`: where the service is and who we are to it.

use crate::failure::Failure;
use countersign_core::{Digest, Name};
use nix::libc::O_NONBLOCK;
use reqwest::Url;
use serde::Deserialize;
use std::fs::OpenOptions;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Names the file where no flag does.
pub const CONFIG_VARIABLE: &str = "COUNTERSIGN_CONFIG";
/// Longest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// What a `reviewer.toml` says, checked.
#[derive(Clone)]
pub struct Reviewer {
    /// Base address of the service: `https`, or `http` on a loopback address.
    pub service: Url,
    /// Bearer token. Never shown.
    pub token: String,
    /// SHA-256 of the service's certificate; always there for `https`.
    pub fingerprint: Option<Digest>,
    /// The reviewer's name, for messages only: the service knows the token.
    pub name: Option<Name>,
    /// The SSH key that this reviewer signs with, where a host demands it.
    pub sign_with: Option<PathBuf>,
    /// The file.
    pub path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: String,
    token: String,
    fingerprint: Option<Digest>,
    name: Option<Name>,
    sign_with: Option<PathBuf>,
}

/// The file to read: `--config`, else the variable, else the one in the home.
pub fn locate(config: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = config {
        return Ok(path.to_owned());
    }
    if let Some(path) = std::env::var_os(CONFIG_VARIABLE).filter(|v| !v.is_empty()) {
        return Ok(path.into());
    }
    let home = std::env::var_os("HOME").filter(|v| !v.is_empty()).ok_or_else(|| {
        Failure::Config(format!("HOME is not set; name the file with --config FILE or {CONFIG_VARIABLE}"))
    })?;
    Ok(Path::new(&home).join(".config/countersign/reviewer.toml"))
}

impl Reviewer {
    /// Reads and checks a file. It must be a regular file of ours that nobody else can read.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = read_private(path)?;
        let file: File = toml::from_str(&text).map_err(|e| not_toml(path, &text, &e))?;
        let wrong = |what: String| Failure::Config(format!("{}: {what}", path.display()));
        let service = service_url(&file.service).map_err(wrong)?;
        if service.scheme() == "https" && file.fingerprint.is_none() {
            return Err(wrong(
                "`fingerprint` is missing; https needs the fingerprint of the service's certificate, as `countersign-server reviewer add` prints it".into(),
            ));
        }
        if !is_token(&file.token) {
            return Err(wrong("`token` is not a reviewer's token (csr1. and 43 characters); ask for a new file with `countersign-server reviewer add`".into()));
        }
        Ok(Self {
            service,
            token: file.token,
            fingerprint: file.fingerprint,
            name: file.name,
            sign_with: file.sign_with,
            path: path.to_owned(),
        })
    }
}

fn read_private(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path).map_err(|e| {
        let hint = if e.kind() == std::io::ErrorKind::NotFound {
            format!("; put the file there that `countersign-server reviewer add NAME` printed, or name it with --config FILE, {CONFIG_VARIABLE}, or --state DIR of a trial")
        } else {
            String::new()
        };
        Failure::Config(format!("cannot read {shown}: {e}{hint}"))
    })?;
    let facts = file.metadata().map_err(|e| Failure::Config(format!("cannot read {shown}: {e}")))?;
    if !facts.is_file() {
        return Err(Failure::Config(format!("{shown} is not a regular file; a reviewer.toml is one")));
    }
    if facts.mode() & 0o077 != 0 {
        return Err(Failure::Config(format!(
            "{shown} holds a token and others can read or write it (mode {:04o}); run: chmod 600 {shown}",
            facts.mode() & 0o7777
        )));
    }
    let me = nix::unistd::geteuid();
    if facts.uid() != me.as_raw() && facts.uid() != 0 {
        return Err(Failure::Config(format!(
            "{shown} belongs to uid {}, not to you (uid {me}); make it yours",
            facts.uid()
        )));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|e| Failure::Config(format!("cannot read {shown}: {e}")))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(Failure::Config(format!("{shown} is longer than {MAX_BYTES} bytes; that is no reviewer.toml")));
    }
    Ok(text)
}

/// Says where the text is wrong without quoting it: the line may be the token's.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let line = at.map(|n| format!(" line {n}")).unwrap_or_default();
    let message = error.message().lines().next().unwrap_or_default();
    let what = if message.contains("invalid") { "a value has the wrong form" } else { message };
    Failure::Config(format!(
        "{}{line}: {what}; a reviewer.toml has `service`, `token` and, for https, `fingerprint`, as `countersign-server reviewer add` prints it",
        path.display()
    ))
}

/// Reads a service's address: https, or http to a loopback address.
pub fn service_url(text: &str) -> Result<Url, String> {
    let bad = |why: &str| Err(format!("`service` is no address of a service: {why}; write https://HOST:PORT"));
    let Ok(url) = Url::parse(text) else { return bad("it does not parse") };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return bad("it holds more than a host, a port and a path");
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    // The client never looks this name up: it goes to the loopback addresses.
    let loopback = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" if !host.is_empty() => Ok(url),
        "http" if loopback => Ok(url),
        "http" => bad("plain http is for loopback addresses (127.0.0.1, [::1], localhost) only"),
        _ => bad("it is neither https nor http"),
    }
}

fn is_token(text: &str) -> bool {
    text.strip_prefix("csr1.").is_some_and(|secret| secret.parse::<Digest>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_at_home() {
        for good in ["https://approve.example:8443", "http://127.0.0.1:1", "http://[::1]:80/", "http://localhost:1"] {
            assert!(service_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1:8443",
            "http://localhost.example:1",
            "http://127.0.0.1.example:1",
            "http://127.0.0.1@example.net/",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user:pw@host/",
            "",
            "127.0.0.1:80",
        ] {
            assert!(service_url(bad).is_err(), "{bad}");
        }
    }
}
