use crate::host::Host;
use crate::running::{Service, answer};
use countersign_api::service::{ErrorBody, RecordingReply};
use countersign_core::LoginId;
use countersign_ledger::{Kind, Openings, body, sha256};
use reqwest::{Method, StatusCode};

fn announce(host: &mut Host, login: LoginId, index: u64, offset: u64, bytes: &[u8]) {
    let length = u64::try_from(bytes.len()).unwrap();
    let members = body([
        ("digest", sha256(bytes).into()),
        ("index", index.into()),
        ("length", length.into()),
        ("offset", offset.into()),
        ("raw_bytes", length.into()),
    ]);
    host.write(Kind::RecordingChunk, Some(login), members, Openings::new());
}

async fn put(service: &Service, token: &str, login: LoginId, offset: u64, bytes: &[u8]) -> (StatusCode, Option<u64>) {
    let path = format!("/api/recordings/{login}?offset={offset}");
    let request = service.request(Method::POST, &path, token).body(bytes.to_vec());
    let (status, reply) = answer::<RecordingReply>(request).await;
    (status, reply.ok().map(|r| r.held))
}

#[tokio::test]
async fn only_announced_bytes_with_their_digest_are_kept() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let mut host = Host::enrolled(&service, "web-1").await;
    let other = Host::enrolled(&service, "web-2").await;
    let login = host.open_login("deploy-agent", None);
    host.ship(&service).await;
    let (one, two) = (b"{\"version\":2}\n".as_slice(), b"[0.1,\"o\",\"hello\"]\n".as_slice());
    let path = format!("/api/recordings/{login}");

    assert_eq!(put(&service, &host.token, login, 0, one).await.0, StatusCode::UNPROCESSABLE_ENTITY, "not announced");
    announce(&mut host, login, 0, 0, one);
    announce(&mut host, login, 1, 14, two);
    host.ship(&service).await;
    assert_eq!(put(&service, &other.token, login, 0, one).await.0, StatusCode::NOT_FOUND, "another host's login");
    assert_eq!(put(&service, &reviewer, login, 0, one).await.0, StatusCode::FORBIDDEN);
    assert_eq!(service.get::<ErrorBody>(&path, &reviewer).await.0, StatusCode::NOT_FOUND);
    assert_eq!(put(&service, &host.token, login, 5, one).await, (StatusCode::CONFLICT, Some(0)));
    // In pieces that are not chunks; nothing is shown before a chunk is whole.
    assert_eq!(put(&service, &host.token, login, 0, &one[..4]).await, (StatusCode::OK, Some(4)));
    assert_eq!(service.get::<ErrorBody>(&path, &reviewer).await.0, StatusCode::NOT_FOUND);
    let rest = [&one[4..], &two[..6]].concat();
    assert_eq!(put(&service, &host.token, login, 4, &rest).await, (StatusCode::OK, Some(20)));
    let shown = service.request(Method::GET, &path, &reviewer).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), one);
    // Wrong bytes: cut back to the last good chunk.
    assert_eq!(put(&service, &host.token, login, 20, &[b'x'; 12]).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(put(&service, &host.token, login, 20, b"").await, (StatusCode::CONFLICT, Some(14)));
    let beyond = [two, b"more"].concat();
    assert_eq!(put(&service, &host.token, login, 14, &beyond).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let all = u64::try_from(one.len() + two.len()).unwrap();
    assert_eq!(put(&service, &host.token, login, 14, two).await, (StatusCode::OK, Some(all)));
    let shown = service.request(Method::GET, &path, &reviewer).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), [one, two].concat());
    let file = service.state().join(format!("recordings/{}/{login}.cast", host.id));
    assert_eq!(std::fs::read(file).unwrap(), [one, two].concat());
    for bad in ["x", "../../service", "00000000000000000000000000"] {
        let (status, _) = service.get::<ErrorBody>(&format!("/api/recordings/{bad}"), &reviewer).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{bad}");
    }
}

#[tokio::test]
async fn a_login_and_a_host_have_quotas() {
    let flags = ["--recording-mib-per-login", "2", "--recording-mib-per-host", "3"];
    let service = Service::start_with(tempfile::tempdir().unwrap(), &flags);
    let mut host = Host::enrolled(&service, "web-1").await;
    let (first, second) = (host.open_login("deploy-agent", None), host.open_login("deploy-agent", None));
    let mib = vec![b'x'; 1024 * 1024];
    for login in [first, second] {
        for n in 0..3 {
            announce(&mut host, login, n, n * 1024 * 1024, &mib);
        }
    }
    host.ship(&service).await;
    for (login, offset, status) in [
        (first, 0, StatusCode::OK),
        (first, 1, StatusCode::OK),
        (first, 2, StatusCode::PAYLOAD_TOO_LARGE),
        (second, 0, StatusCode::OK),
        (second, 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(put(&service, &host.token, login, offset * 1024 * 1024, &mib).await.0, status, "{login} {offset}");
    }
    let path = format!("/api/recordings/{second}?offset={}", mib.len());
    let request = service.request(Method::POST, &path, &host.token).body(mib.clone());
    let text = answer::<ErrorBody>(request).await.1.unwrap().error;
    assert!(text.contains("this host") && text.contains("3 MiB"), "{text}");
    // Another host has its own.
    let mut other = Host::enrolled(&service, "web-2").await;
    let login = other.open_login("deploy-agent", None);
    announce(&mut other, login, 0, 0, &mib);
    other.ship(&service).await;
    assert_eq!(put(&service, &other.token, login, 0, &mib).await.0, StatusCode::OK);
}

#[tokio::test]
async fn recordings_leave_the_disk_to_ledgers_and_decisions() {
    let service = Service::start_with(tempfile::tempdir().unwrap(), &["--keep-free-mib", "1000000000"]);
    let mut host = Host::enrolled(&service, "web-1").await;
    let login = host.open_login("deploy-agent", None);
    announce(&mut host, login, 0, 0, b"hello");
    host.ship(&service).await;
    assert_eq!(put(&service, &host.token, login, 0, b"hello").await.0, StatusCode::INSUFFICIENT_STORAGE);
    host.pending(&service, "uptime", 60_000).await;
}
