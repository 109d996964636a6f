//! What rules decided, decided again by `countersign verify`.

use std::fs;
use std::time::Duration;

use countersign_analysis::VERSION;
use countersign_tests::fake_service::{Answer, FakeService};
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::run;
use countersign_tests::trial::{second_verifier, verify};

const SETTINGS: &str = r#"{"classes":{"critical":{"pass_below":0,"person_at":25,"people":2},"high":{"pass_below":0,"person_at":50,"people":1},"medium":{"pass_below":25,"person_at":50,"people":1},"low":{"pass_below":50,"person_at":75,"people":1}},"critical_at":75,"critical_people":2,"person_anomalies":["gate_tamper","display_spoof","opaque_code","exfiltration","interactive_escape"]}"#;

/// A policy of which rule 1 says so.
fn policy(body: &str) -> String {
    let rule = format!(r#"{{"id":1,"kind":"standing","author":"ops","approver":"lead","body":{body}}}"#);
    format!("cs-policy3\nanalyzer {VERSION}\nsettings {SETTINGS}\nrule {rule}\n")
}

#[test]
fn a_service_that_says_a_rule_spoke_which_did_not_is_found_out() {
    let service = FakeService::start(Answer::ApproveAtOnce, Duration::ZERO);
    let mut parts = Parts::without_service(5_000);
    parts.enroll(&service.url(), &format!("cse1.{}", "A".repeat(43))).expect(0);
    parts.start_host();
    let trust = parts.scratch.join("trust.json");
    let check = |line: &str, policy: &str, exit: i32, says: &str| {
        service.policy(policy);
        let before = journal::of_kind(&parts.journal(), "session_closed").len();
        run(&mut parts.front(line)).expect(0);
        journal::wait_for(&parts.journal(), "session_closed", before + 1);
        let key = journal::of_kind(&parts.journal(), "host_enrolled")[0]["body"]["key"].clone();
        fs::write(&trust, service.trust(key.as_str().expect("key"))).expect("trust file");
        let told = verify(&parts.host_dir(), Some(&trust)).expect(exit).out();
        assert!(told.contains(says), "{told}");
    };
    check("echo a", "what is this?\n", 10, "1 because the text of the policy is none that this version reads");
    check("echo a", &policy(r#"{"exact":"echo a"}"#), 10, "2 whitelisted (1 re-evaluated, 1 not re-evaluable)");
    check(
        "echo a",
        &policy(r#"{"exact":"echo a"}"#).replace(&format!("analyzer {VERSION}"), "analyzer 999"),
        10,
        "version 999 of the analyzer",
    );
    check("echo b", &policy(r#"{"patterns":["git status"]}"#), 50, "decision.rule");
    assert_eq!(journal::of_kind(&parts.journal(), "policy_text").len(), 4, "each policy once");
    verify(&parts.host_dir(), Some(&trust)).expect(50);
}

#[test]
fn the_real_services_rules_hold_again() {
    let parts = Parts::new();
    parts.reviewer().allow("echo ran");
    for _ in 0..2 {
        run(&mut parts.front("echo ran")).expect(0);
    }
    let told = parts.verify().expect(10).out();
    assert!(told.contains("2 whitelisted (re-evaluated)"), "{told}");
    assert_eq!(journal::of_kind(&parts.journal(), "policy_text").len(), 1);
    second_verifier(&parts.host_dir(), &parts.trust()).expect(10);
}
