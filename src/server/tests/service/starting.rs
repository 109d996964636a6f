use crate::host::Host;
use crate::running::{PROGRAM, Service, install_ring, run, spawn, terminate};
use countersign_ledger::{TrustFile, sha256};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Command;
use std::sync::Arc;

#[test]
fn plain_beyond_loopback_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let out = run(&["serve", "--plain", "--listen", address, "--state", dir.path().to_str().unwrap()]);
        assert_eq!(out.status.code(), Some(64), "{out:?}");
        assert!(String::from_utf8(out.stderr).unwrap().contains("loopback"));
    }
}

#[test]
fn wrong_flags_and_state_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let text = state.to_str().unwrap();
    for (args, code) in [
        (vec!["serve"], 64),
        (vec!["serve", "--state", text, "--tls-cert", "x"], 64),
        (vec!["reviewer", "add", "timeout", "--url", "http://127.0.0.1:1", "--state", text], 64),
        (vec!["reviewer", "add", "trial-reviewer", "--url", "http://127.0.0.1:1", "--state", text], 64),
        (vec!["reviewer", "add", "Ops Lead", "--url", "http://127.0.0.1:1", "--state", text], 64),
        (vec!["reviewer", "add", "ops", "--url", "https://ops:1", "--state", text], 64),
        (vec!["serve", "--state", "/dev/null/x"], 78),
        (vec!["serve", "--state", text, "--tls-cert", "/none", "--tls-key", "/none"], 78),
    ] {
        let out = run(&args);
        assert_eq!(out.status.code(), Some(code), "{args:?} {out:?}");
        assert!(!out.stderr.is_empty());
    }
    let add = ["reviewer", "add", "trial-reviewer", "--trial", "--url", "http://127.0.0.1:1", "--state", text];
    assert!(run(&add).status.success());
    let again = run(&add);
    assert_eq!(again.status.code(), Some(64));
    assert!(String::from_utf8(again.stderr).unwrap().contains("already"));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    // Of a mistyped directory there is no service to show the keys of.
    let mistyped = dir.path().join("stat");
    for args in [&["trust"][..], &["ledger"], &["forks"], &["reviewer", "list"], &["enroll-token", "--name", "web-1"]] {
        let out = run(&[args, &["--state", mistyped.to_str().unwrap()]].concat());
        assert_eq!((out.status.code(), out.stdout.len()), (Some(78), 0), "{args:?}");
        assert!(String::from_utf8(out.stderr).unwrap().contains("there is no service in"), "{args:?}");
        assert!(!mistyped.exists(), "{args:?}");
    }
    let none = run(&["forks", "--state", text]);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(0), 0));
    assert!(String::from_utf8(none.stderr).unwrap().contains("no host has signed two histories"));
    if nix::unistd::geteuid().is_root() {
        nix::unistd::chown(&state, Some(nix::unistd::Uid::from_raw(12345)), None).unwrap();
        let out = run(&["trust", "--state", text]);
        assert_eq!(out.status.code(), Some(78));
        assert!(String::from_utf8(out.stderr).unwrap().contains("belongs to uid 12345"));
    }
}

#[test]
fn a_signal_right_after_the_first_line_ends_it_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let (mut child, _) = spawn(dir.path(), &["--plain"]);
        assert_eq!(terminate(&mut child), Some(0));
    }
}

#[tokio::test]
async fn the_state_is_private_and_has_one_server() {
    let mut service = Service::start();
    let host = Host::enrolled(&service, "web-1").await;
    let tokens = [service.reviewer("on-call"), service.enroll_token("web-2"), host.token];
    for file in ["service.db", "service.db-wal"] {
        let bytes = std::fs::read(service.state().join(file)).unwrap();
        let kept = |token: &String| bytes.windows(token.len()).any(|w| w == token.as_bytes());
        assert!(!tokens.iter().any(kept), "a token stands in {file}");
    }
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&service.state()), 0o700);
    for entry in std::fs::read_dir(service.state()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()) & 0o077, 0, "{entry:?}");
        assert_eq!(entry.metadata().unwrap().uid(), nix::unistd::geteuid().as_raw());
    }
    let state = service.state();
    let second =
        Command::new(PROGRAM).args(["serve", "--plain", "--listen", "127.0.0.1:0", "--state"]).arg(&state).output();
    let second = second.unwrap();
    assert_eq!(second.status.code(), Some(78), "{second:?}");
    let trust = run(&["trust", "--state", state.to_str().unwrap()]);
    let trust = TrustFile::parse(&trust.stdout).unwrap();
    assert_eq!((trust.hosts.len(), trust.services.len()), (1, 1));
    let reviewer = service.reviewer("ops-lead");
    let (_, over_http) = service.get::<TrustFile>("/api/trust", &reviewer).await;
    assert_eq!(over_http.unwrap(), trust);
    assert_eq!(service.http.get(format!("{}/healthz", service.url)).send().await.unwrap().text().await.unwrap(), "ok");
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn tls_with_the_pinned_fingerprint() {
    install_ring();
    let dir = tempfile::tempdir().unwrap();
    let (mut child, url) = spawn(dir.path(), &[]);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let state = dir.path().to_str().unwrap();
    let token = String::from_utf8(run(&["enroll-token", "--name", "web-1", "--state", state]).stdout).unwrap();
    let fingerprint = token.trim().rsplit('.').next().unwrap().to_owned();
    assert_eq!(fingerprint.len(), 43);
    let toml = run(&["reviewer", "add", "ops-lead", "--url", &url, "--state", state]).stdout;
    assert!(String::from_utf8(toml).unwrap().contains(&format!("fingerprint = \"{fingerprint}\"")));
    let get = async |pin: &str| {
        let config = rustls::ClientConfig::builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin(pin.to_owned())))
            .with_no_client_auth();
        let client = reqwest::Client::builder().tls_backend_preconfigured(config).build().unwrap();
        client.get(format!("{url}/healthz")).send().await
    };
    assert_eq!(get(&fingerprint).await.unwrap().text().await.unwrap(), "ok");
    assert!(get(&"A".repeat(43)).await.is_err(), "another pin");
    assert!(reqwest::get(format!("{url}/healthz")).await.is_err(), "nobody vouches for it");
    let plain = url.replace("https://", "http://");
    assert!(reqwest::get(format!("{plain}/healthz")).await.is_err(), "no plain HTTP on the TLS port");
    assert_eq!(terminate(&mut child), Some(0));
    // The same certificate after a restart.
    let (mut child, _) = spawn(dir.path(), &[]);
    let again = std::fs::read_to_string(dir.path().join("cert.fingerprint")).unwrap();
    assert_eq!(again.trim(), fingerprint);
    assert_eq!(terminate(&mut child), Some(0));
}

/// Trusts one certificate, by its SHA-256.
#[derive(Debug)]
struct Pin(String);

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if sha256(end_entity).to_string() == self.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("another certificate".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Connections that send nothing: the ones beyond the limit are closed at once, and a place is free again after one ends.
#[tokio::test]
async fn connections_are_bounded() {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpStream;
    let service = Service::start_with(tempfile::tempdir().unwrap(), &["--connections", "3"]);
    let address = service.url.strip_prefix("http://").unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(TcpStream::connect(address).await.unwrap());
    }
    // Any of them: who takes the last place is not who connected third.
    let one_closed = async {
        loop {
            for (at, stream) in held.iter_mut().enumerate() {
                let read = tokio::time::timeout(std::time::Duration::from_millis(20), stream.read(&mut [0; 1])).await;
                if matches!(read, Ok(Ok(0) | Err(_))) {
                    return at;
                }
            }
        }
    };
    let closed = tokio::time::timeout(std::time::Duration::from_secs(20), one_closed).await;
    held.remove(closed.expect("one of four is closed"));
    assert!(service.http.get(format!("{}/healthz", service.url)).send().await.is_err());
    held.pop();
    let answered = async {
        loop {
            if let Ok(answer) = service.http.get(format!("{}/healthz", service.url)).send().await {
                return answer.status().as_u16();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let status = tokio::time::timeout(std::time::Duration::from_secs(20), answered).await;
    assert_eq!(status.expect("a place is free"), 200);
}

/// Silent, or a byte at a time: closed when the time of a head is over, and the place is free.
#[tokio::test]
async fn a_head_must_come_in_time() {
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    let service = Service::start_with(tempfile::tempdir().unwrap(), &["--head-seconds", "1"]);
    let address = service.url.strip_prefix("http://").unwrap().to_owned();
    for sent in ["", "PRI * HTTP", "GET /healthz HTTP/1.1\r\nhost: x\r\nslow: "] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let closed = async {
            let mut end = [0; 512];
            while !matches!(stream.read(&mut end).await, Ok(0) | Err(_)) {}
        };
        assert!(tokio::time::timeout(Duration::from_secs(5), closed).await.is_ok(), "{sent:?} is still open");
        assert!(begun.elapsed() > Duration::from_millis(800), "{sent:?}");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let trickle = async {
        for byte in "GET /healthz HTTP/1.1\r\nhost: x\r\nslow: xxxxxxxxxxxxxxxxxxxx".bytes() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(&[byte]).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    assert!(trickle.await.is_err(), "a trickle was kept open");
}
