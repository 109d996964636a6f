use crate::host::Host;
use crate::running::Service;
use std::time::Instant;

/// Run by hand with `--release -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn whitelisted_submission_on_loopback() {
    const ROUNDS: usize = 500;
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    service.post::<serde_json::Value>("/api/rules", &reviewer, &serde_json::json!({"line": "true"})).await.1.unwrap();
    let mut host = Host::enrolled(&service, "web-1").await;
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let login = host.open_login("deploy-agent", None);
        let held = host.hold(login, "true", 60_000);
        let asked = Instant::now();
        let reply = host.ask(&service, held).await.1.unwrap();
        took.push(asked.elapsed());
        assert!(reply.decision.is_some());
        let decided = host.decide(held, "whitelisted", Some("whitelist_rule:1"), None);
        host.run(held, decided, 0);
        host.close(login, 0);
        host.ship(&service).await;
    }
    took.sort();
    println!("p50 {:?} p99 {:?} max {:?}", took[ROUNDS / 2], took[ROUNDS * 99 / 100], took[ROUNDS - 1]);
}
