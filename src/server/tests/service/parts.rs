//! A part of a ledger: no more of it is moved than it needs, and the tree stays whole.

use crate::host::Host;
use crate::running::Service;
use countersign_api::ledgers::{LedgerOf, PartFrom};
use countersign_ledger::tlog::{Frontier, root_of};
use countersign_ledger::{Entry, Gaps, Kind, Openings, body};
use reqwest::{Method, StatusCode};

async fn page(service: &Service, host: &Host, reviewer: &str, asked: &PartFrom) -> (StatusCode, String) {
    let path = format!("/api/ledgers/{}/part", host.id);
    let answer = service.request(Method::GET, &path, reviewer).query(asked).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// All of a part: its lines, and the tree over them and what stands between.
async fn fetch(service: &Service, host: &Host, reviewer: &str, mut asked: PartFrom) -> (Vec<Entry>, Frontier, usize) {
    let (mut entries, mut tree, mut moved) = (Vec::new(), Frontier::default(), 0);
    loop {
        asked.from = tree.size();
        let (status, text) = page(service, host, reviewer, &asked).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        moved += text.len();
        for line in text.lines() {
            if line.starts_with("{\"fmt\":") {
                let gaps = Gaps::parse(line.as_bytes()).unwrap();
                let (from, to) = gaps.span().unwrap();
                assert_eq!(from, tree.size());
                gaps.bridge(from, to).unwrap().iter().for_each(|subtree| assert!(tree.push_subtree(subtree)));
            } else {
                let entry = Entry::parse(line.as_bytes()).unwrap();
                assert_eq!(entry.seq, tree.size());
                tree.push(entry.leaf);
                entries.push(entry);
            }
        }
        if tree.size() == asked.from {
            return (entries, tree, moved);
        }
    }
}

fn silence(host: &mut Host, entries: u32) {
    for _ in 0..entries {
        host.write(Kind::Heartbeat, None, body::<&str>([]), Openings::new());
    }
}

#[tokio::test]
async fn only_what_a_part_needs_is_moved() {
    let service = Service::start();
    let reviewer = service.reviewer("auditor");
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut logins = Vec::new();
    for _ in 0..2 {
        silence(&mut host, 700);
        let login = host.open_login("deploy-agent", None);
        host.hold(login, "uptime", 1000);
        host.close(login, 0);
        logins.push(login);
    }
    silence(&mut host, 300);
    let open = host.open_login("late-agent", None);
    silence(&mut host, 50);
    let since = host.seq;
    silence(&mut host, 20);
    host.ship(&service).await;
    let whole: usize = host.lines.iter().map(|line| line.len() + 1).sum();
    let leaves: Vec<_> = host.lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap().leaf).collect();
    let root = |size: u64| root_of(&leaves[..usize::try_from(size).unwrap()]);

    let sessions: Vec<countersign_api::service::SessionRow> = service.get("/api/sessions", &reviewer).await.1.unwrap();
    for session in &sessions {
        let of: LedgerOf = service.get(&format!("/api/ledgers?session={}", session.name), &reviewer).await.1.unwrap();
        let asked = PartFrom { session: Some(session.name.clone()), ..PartFrom::default() };
        let (entries, tree, moved) = fetch(&service, &host, &reviewer, asked).await;
        let its = entries.iter().filter(|entry| entry.sess.is_some_and(|sess| of.logins.contains(&sess.id))).count();
        let all = host.lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap());
        let expected = all.filter(|entry| entry.sess.is_some_and(|sess| of.logins.contains(&sess.id))).count();
        assert_eq!(its, expected);
        // Besides its own there are host_enrolled and host_started, and not one heartbeat.
        assert_eq!(entries.len(), its + 2, "{entries:?}");
        assert!(moved * 20 < whole, "{moved} bytes of {whole}");
        assert_eq!(tree.root(), root(tree.size()));
    }
    assert!(!sessions.is_empty());

    let asked = PartFrom { since: Some(since), ..PartFrom::default() };
    let (entries, tree, moved) = fetch(&service, &host, &reviewer, asked).await;
    assert_eq!(tree.size(), host.seq);
    assert_eq!(tree.root(), root(host.seq));
    let before: Vec<_> = entries.iter().filter(|entry| entry.seq < since).collect();
    assert!(before.iter().all(|entry| entry.seq < 2 || entry.sess.is_some_and(|sess| sess.id == open)));
    assert_eq!(before.len(), 3, "host_enrolled, host_started and the login that was open");
    assert_eq!(entries.len(), 3 + 20);
    assert!(moved * 20 < whole, "{moved} bytes of {whole}");
}

#[tokio::test]
async fn what_is_no_part_is_refused() {
    let service = Service::start();
    let reviewer = service.reviewer("auditor");
    let host = Host::enrolled(&service, "web-1").await;
    let part = |session: Option<&str>, since| PartFrom { session: session.map(str::to_owned), since, from: 0 };
    for asked in [part(None, None), part(Some("deploy-01"), Some(1)), part(Some(&"x".repeat(300)), None)] {
        let (status, text) = page(&service, &host, &reviewer, &asked).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    }
    // Another session's name gives nobody's logins.
    let (status, text) = page(&service, &host, &reviewer, &part(Some("no-such"), None)).await;
    assert_eq!((status, text.matches("\"sess\"").count()), (StatusCode::OK, 0));
    let (status, _) = page(&service, &host, "not-a-token", &part(None, Some(0))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let query = "/api/ledgers?session=deploy-01&since_us=1";
    assert_eq!(service.get::<LedgerOf>(query, &reviewer).await.0, StatusCode::BAD_REQUEST);
}
