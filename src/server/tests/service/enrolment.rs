use crate::host::Host;
use crate::running::Service;
use countersign_api::service::{EnrollReply, EnrollRequest, EntriesRequest, ErrorBody, FormerHost, HostState};
use countersign_ledger::{Kind, Openings, body};
use reqwest::StatusCode;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

#[tokio::test]
async fn a_token_enrols_once_and_only_its_name_with_a_proof() {
    let service = Service::start();
    let token = service.enroll_token("web-1");
    assert!(token.starts_with("cse1.") && token.len() == 48, "{token}");

    let mut other_name = Host::unknown("web-2");
    let request = other_name.enroll_request(&token);
    let (status, reply) = service.post::<ErrorBody>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::CONFLICT, "{reply:?}");

    let mut host = Host::unknown("web-1");
    let mut request = host.enroll_request(&token);
    let good_proof = std::mem::replace(&mut request.proof, "A".repeat(86));
    let (status, reply) = service.post::<ErrorBody>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{reply:?}");

    request.proof = good_proof;
    let (status, reply) = service.post::<EnrollReply>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::OK, "{reply:?}");
    let host_token = reply.unwrap().host_token;
    assert!(host_token.starts_with("csh1.") && host_token.len() == 48);
    let (status, state) = service.get::<HostState>("/api/host", &host_token).await;
    assert_eq!((status, state.unwrap().next_seq), (StatusCode::OK, 0));

    let mut second = Host::unknown("web-1");
    let request = second.enroll_request(&token);
    let (status, reply) = service.post::<ErrorBody>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(reply.unwrap().error.contains("used before"));
    let old = service.enroll_token("web-4");
    let db = SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = SqlitePool::connect_with(db).await.unwrap();
    sqlx::query("UPDATE enroll_tokens SET expires_at_ms = created_at_ms").execute(&db).await.unwrap();
    let mut late = Host::unknown("web-4");
    let request = late.enroll_request(&old);
    assert_eq!(service.post::<ErrorBody>("/api/enroll", "", &request).await.0, StatusCode::UNAUTHORIZED);
    let mut unknown = Host::unknown("web-3");
    let request = unknown.enroll_request("cse1.nothing");
    assert_eq!(service.post::<ErrorBody>("/api/enroll", "", &request).await.0, StatusCode::UNAUTHORIZED);
}

/// A ledger of the service's id, signed by a host, must not pass for the service's own.
#[tokio::test]
async fn the_services_own_id_is_no_hosts() {
    let service = Service::start();
    let first = Host::enrolled(&service, "web-1").await;
    let enrolled: serde_json::Value = serde_json::from_str(&first.lines[0]).unwrap();
    let mut host = Host::unknown("web-2");
    host.id = enrolled["body"]["service"].as_str().unwrap().parse().unwrap();
    let request = host.enroll_request(&service.enroll_token("web-2"));
    let (status, reply) = service.post::<ErrorBody>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::CONFLICT, "{reply:?}");
    assert!(reply.unwrap().error.contains("the service's own"));
    // Nothing of it is left, and the token is still good.
    let mut good = Host::unknown("web-2");
    let request = good.enroll_request(&request.token);
    assert_eq!(service.post::<EnrollReply>("/api/enroll", "", &request).await.0, StatusCode::OK);
}

#[tokio::test]
async fn tokens_open_their_own_doors_only() {
    let service = Service::start();
    let host = Host::enrolled(&service, "web-1").await;
    let reviewer = service.reviewer("ops-lead");
    let reviewers_only = ["/api/submissions", "/api/audit", "/api/sessions", "/api/rules", "/api/trust"];
    for path in reviewers_only.into_iter().chain(["/api/host"]) {
        for bad in ["", "x", "csr1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &reviewer[..47]] {
            let (status, body) = service.get::<ErrorBody>(path, bad).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {bad}");
            assert!(body.unwrap().error.contains("Authorization: Bearer"));
        }
        let bare = service.http.get(format!("{}{path}", service.url)).send().await.unwrap();
        assert_eq!(bare.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in reviewers_only {
        assert_eq!(service.get::<ErrorBody>(path, &host.token).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/api/entries", "/api/submissions"] {
        let (status, _) = service.post::<ErrorBody>(path, &reviewer, &serde_json::json!({"lines": []})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let (status, body) = service.post::<ErrorBody>("/api/entries", &host.token, &serde_json::json!({"line": 1})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.unwrap().error.contains("lines"));
    let (status, _) = service.get::<ErrorBody>("/api/nothing", &reviewer).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = service.get::<ErrorBody>("/api/entries", &reviewer).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    let huge = vec![b' '; 8 * 1024 * 1024 + 1];
    let request = service.request(reqwest::Method::POST, "/api/entries", &host.token).body(huge);
    assert_eq!(crate::running::answer::<ErrorBody>(request).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn who_is_not_known_cannot_hold_up_the_writer_nor_send_much() {
    let service = Service::start();
    let mut host = Host::unknown("web-1");
    let mut request = host.enroll_request("cse1.nothing");
    // Somebody else writes: a look needs no writer.
    let db = SqliteConnectOptions::new().filename(service.state().join("service.db"));
    let db = SqlitePool::connect_with(db).await.unwrap();
    let writing = db.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let asked = std::time::Instant::now();
    assert_eq!(service.post::<ErrorBody>("/api/enroll", "", &request).await.0, StatusCode::UNAUTHORIZED);
    assert!(asked.elapsed() < std::time::Duration::from_secs(9), "it waited for the writer");
    writing.rollback().await.unwrap();
    request.proof = "A".repeat(16 * 1024);
    let (status, body) = service.post::<ErrorBody>("/api/enroll", "", &request).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(body.unwrap().error.contains("16 KiB"));
}

/// A host that took the place of one that lost its key says so first, and only such a one.
#[tokio::test]
async fn the_place_of_a_lost_host_is_taken_once_and_declared() {
    let service = Service::start();
    let old = Host::enrolled(&service, "web-1").await;
    let id = old.id.to_string();
    let made = crate::running::run(&[
        "enroll-token",
        "--name",
        "web-1",
        "--lost",
        &id,
        "--state",
        service.state().to_str().unwrap(),
    ]);
    assert!(made.status.success(), "{made:?}");
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let mut host = Host::unknown("web-1");
    let plain = host.enroll_request(&token);
    assert_eq!(service.post::<ErrorBody>("/api/enroll", "", &plain).await.0, StatusCode::CONFLICT);
    let former = |host| Some(FormerHost { host, last: None });
    let other = EnrollRequest { former: former(host.id), ..plain.clone() };
    assert_eq!(service.post::<ErrorBody>("/api/enroll", "", &other).await.0, StatusCode::CONFLICT);
    let (status, _) = service.get::<HostState>("/api/host", &old.token).await;
    assert_eq!(status, StatusCode::OK, "nothing has happened to the old one");
    let right = EnrollRequest { former: former(old.id), ..plain };
    let (status, reply) = service.post::<EnrollReply>("/api/enroll", "", &right).await;
    assert_eq!(status, StatusCode::OK, "{reply:?}");
    let reply = reply.unwrap();
    assert_eq!(reply.former, Some(FormerHost { host: old.id, last: Some((1, old.prev)) }), "what is held of it");
    host.token = reply.host_token;
    let (status, _) = service.get::<HostState>("/api/host", &old.token).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the old token is nobody's");

    let gap = |host: &mut Host, of: countersign_core::HostId| {
        let members = [("former", of.to_string().into()), ("why", "identity_lost".into())];
        host.write(Kind::Gap, None, body(members), Openings::new());
    };
    let start = (host.seq, host.prev);
    let login = host.open_login("deploy-agent", None);
    let refused = async |host: &mut Host, says: &str| {
        let lines = std::mem::take(&mut host.lines);
        let (status, told) = service.post::<ErrorBody>("/api/entries", &host.token, &EntriesRequest { lines }).await;
        assert!(
            status == StatusCode::BAD_REQUEST && told.as_ref().is_ok_and(|told| told.error.contains(says)),
            "{told:?}"
        );
        (host.seq, host.prev) = start;
    };
    refused(&mut host, "no `gap` says so").await;
    gap(&mut host, login.to_string().parse().unwrap());
    refused(&mut host, "was not enrolled in the place").await;
    gap(&mut host, old.id);
    host.open_login("deploy-agent", None);
    host.ship(&service).await;
    // A host that lost nothing does not say that it did.
    let mut liar = Host::enrolled(&service, "web-2").await;
    gap(&mut liar, old.id);
    let lines = liar.unsent();
    let (status, _) = service.post::<ErrorBody>("/api/entries", &liar.token, &EntriesRequest { lines }).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}
