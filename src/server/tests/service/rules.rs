use crate::running::Service;
use countersign_api::service::{ErrorBody, Rule};
use reqwest::StatusCode;

#[tokio::test]
async fn lines_become_rules_once_and_only_if_they_say_what_runs() {
    let service = Service::start();
    let reviewer = service.reviewer("ops-lead");
    let add =
        async |line: &str| service.post::<Rule>("/api/rules", &reviewer, &serde_json::json!({"line": line})).await;
    let (status, rule) = add("uptime").await;
    let rule = rule.unwrap();
    assert_eq!((status, rule.id, rule.added_by.as_str()), (StatusCode::OK, 1, "ops-lead"));
    assert_eq!((add("uptime").await.0, add("uptime ").await.0), (StatusCode::CONFLICT, StatusCode::OK));
    for bad in ["bash", "python3", "bash -s", "sudo", "env", "cat | bash", "", "a\u{1b}b"] {
        let (status, body) = add(bad).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad:?}");
        assert!(body.unwrap_err().contains("cannot be a rule"));
    }
    let unknown = serde_json::json!({"line": "id", "scope": "all"});
    assert_eq!(service.post::<ErrorBody>("/api/rules", &reviewer, &unknown).await.0, StatusCode::BAD_REQUEST);
    let (_, rules) = service.get::<Vec<Rule>>("/api/rules", &reviewer).await;
    assert_eq!(rules.unwrap().iter().map(|r| r.line.as_str()).collect::<Vec<_>>(), ["uptime", "uptime "]);
}
