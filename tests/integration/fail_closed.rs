//! A service that is gone, broken or lying: nothing runs, the outcome is recorded, and the record stays sound.

use std::time::Duration;

use countersign_tests::fake_service::{Answer, FakeService};
use countersign_tests::journal;
use countersign_tests::parts::{Parts, WAIT_MS};
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::trial::verify;

/// How long an answer counts where it comes late, or never.
const SHORT_MS: u64 = 2_000;

struct Case {
    parts: Parts,
    service: FakeService,
}

impl Case {
    fn new(answer: Answer) -> Self {
        let service = FakeService::start(answer, Duration::from_millis(SHORT_MS + 1_000));
        let short = matches!(answer, Answer::Late | Answer::Silence);
        let mut parts = Parts::without_service(if short { SHORT_MS } else { WAIT_MS });
        parts.enroll(&service.url(), &format!("cse1.{}", "A".repeat(43))).expect(0);
        parts.start_host();
        Self { parts, service }
    }

    /// Submits `touch made`; the exit code.
    fn submit(&self) -> i32 {
        let line = format!("touch {}", self.parts.file("made").display());
        run(&mut self.parts.front(&line)).code()
    }

    fn ran(&self) -> bool {
        self.parts.file("made").exists()
    }

    #[track_caller]
    fn verify_is_sound(&self) {
        let enrolled = journal::of_kind(&self.parts.journal(), "host_enrolled");
        let trust = self.parts.scratch.join("trust.json");
        std::fs::write(&trust, self.service.trust(enrolled[0]["body"]["key"].as_str().expect("key"))).expect("trust");
        verify(&self.parts.host_dir(), Some(&trust)).expect(10);
    }
}

/// The lie must end in this exit code, outcome and reason.
#[track_caller]
fn refused(answer: Answer, exit: i32, outcome: &str, why: &[&str]) {
    let mut case = Case::new(answer);
    assert_eq!(case.submit(), exit, "{answer:?}");
    // What a late or second answer could still do, it has done by then.
    std::thread::sleep(Duration::from_millis(if answer == Answer::Late { 1_500 } else { 200 }));
    assert!(!case.ran(), "{answer:?}: it ran");
    let journal = case.parts.journal();
    assert!(journal::of_kind(&journal, "exec_started").is_empty(), "{answer:?}: recorded as started");
    let decided = journal::wait_for(&journal, "decided", 1);
    assert_eq!(decided["body"]["outcome"], outcome, "{answer:?}: {decided}");
    assert!(why.iter().any(|word| decided["body"]["why"] == *word), "{answer:?}: {decided}");
    case.verify_is_sound();
    case.service.answer(Answer::Approve);
    if case.parts.wait_ms == SHORT_MS {
        case.parts.stop_host();
        case.parts.wait_ms = WAIT_MS;
        case.parts.start_host();
    }
    assert_eq!(case.submit(), 0, "{answer:?}: the control: an honest answer runs it");
    assert!(case.ran());
    case.verify_is_sound();
}

#[test]
fn honest_answers_run() {
    for answer in [Answer::Approve, Answer::ApproveAtOnce] {
        let case = Case::new(answer);
        assert_eq!(case.submit(), 0, "{answer:?}");
        assert!(case.ran());
        case.verify_is_sound();
    }
}

#[test]
fn a_rule_whose_policy_is_not_shown() {
    refused(Answer::NoPolicy, 69, "error", &["policy_unknown"]);
    refused(Answer::OtherPolicy, 69, "error", &["policy_unknown"]);
}

#[test]
fn server_error() {
    refused(Answer::ServerError, 69, "error", &["service_refused", "service_unreachable"]);
}

#[test]
fn host_not_known_to_the_service() {
    refused(Answer::Unauthorized, 69, "error", &["service_refused"]);
}

#[test]
fn reply_that_is_not_json() {
    refused(Answer::NotJson, 69, "error", &["reply_malformed"]);
}

#[test]
fn reply_of_another_shape() {
    refused(Answer::OtherJson, 69, "error", &["reply_malformed"]);
}

#[test]
fn statement_with_a_space_too_many() {
    refused(Answer::StatementNotCanonical, 69, "error", &["reply_malformed", "reply_unsigned"]);
}

#[test]
fn reply_without_signature() {
    refused(Answer::Unsigned, 69, "error", &["reply_unsigned", "reply_malformed"]);
}

#[test]
fn reply_with_the_signature_of_something_else() {
    refused(Answer::BadSignature, 69, "error", &["reply_unsigned"]);
}

#[test]
fn reply_signed_for_another_purpose() {
    refused(Answer::OtherNamespace, 69, "error", &["reply_unsigned"]);
}

#[test]
fn decision_for_another_submission() {
    refused(Answer::OtherSubmission, 69, "error", &["reply_wrong_submission"]);
}

#[test]
fn decision_for_changed_bytes() {
    refused(Answer::ChangedBytes, 69, "error", &["reply_wrong_submission"]);
}

#[test]
fn decision_with_another_nonce() {
    refused(Answer::OtherNonce, 69, "error", &["reply_wrong_submission"]);
}

#[test]
fn decision_for_another_host() {
    refused(Answer::OtherHost, 69, "error", &["reply_wrong_host"]);
}

#[test]
fn decision_by_another_key() {
    refused(Answer::OtherKey, 69, "error", &["reply_wrong_key", "reply_unsigned"]);
}

#[test]
fn decision_that_names_another_key() {
    refused(Answer::NamesOtherKey, 69, "error", &["reply_wrong_key"]);
}

#[test]
fn decision_by_another_key_under_the_pinned_name() {
    refused(Answer::OtherKeyPinnedId, 69, "error", &["reply_unsigned"]);
}

#[test]
fn deny_rule_that_approves() {
    refused(Answer::DenyRuleApproves, 69, "error", &["reply_malformed"]);
}

#[test]
fn timeout_that_approves() {
    refused(Answer::TimeoutApproves, 69, "error", &["reply_malformed"]);
}

#[test]
fn decision_that_has_expired() {
    refused(Answer::Expired, 126, "timed_out", &["reply_late", "deadline"]);
}

#[test]
fn decision_that_comes_late() {
    refused(Answer::Late, 126, "timed_out", &["reply_late", "deadline"]);
}

#[test]
fn no_answer() {
    refused(Answer::Silence, 126, "timed_out", &["deadline", "reply_late"]);
}

#[test]
fn reply_that_is_cut_off() {
    refused(Answer::CutOff, 69, "error", &["service_unreachable", "reply_malformed"]);
}

#[test]
fn service_unreachable() {
    let mut parts = Parts::new();
    parts.service.take().expect("a service").kill();
    let made = parts.file("made");
    let line = format!("touch {}", made.display());
    run(&mut parts.front(&line)).expect(69).says(&["countersign:", "service"]);
    assert!(!made.exists());
    let decided = journal::wait_for(&parts.journal(), "decided", 1);
    assert_eq!(
        (&decided["body"]["outcome"], &decided["body"]["why"]),
        (&"error".into(), &"service_unreachable".into())
    );
    assert!(decided["body"].get("by").is_none(), "nobody decided");
    parts.verify().expect(10);
}

#[test]
fn no_cached_approvals() {
    let mut parts = Parts::new();
    parts.reviewer().allow("echo hello");
    assert_eq!(run(&mut parts.front("echo hello")).expect(0).out(), "hello\n");
    parts.service.take().expect("a service").kill();
    assert_eq!(run(&mut parts.front("echo hello")).expect(69).out(), "");
}

#[test]
fn nobody_answers_in_time() {
    let parts = Parts::waiting(1_000);
    let made = parts.file("made");
    let line = format!("touch {}", made.display());
    run(&mut parts.front(&line)).expect(126).says(&["timed"]);
    assert!(!made.exists());
    let decided = journal::wait_for(&parts.journal(), "decided", 1);
    assert_eq!(decided["body"]["outcome"], "timed_out");
    let reviewer = parts.reviewer();
    eventually("the service to hear that it waits no more", LIMIT, || reviewer.pending().is_empty().then_some(()));
    parts.verify().expect(10);
}

#[test]
fn approval_after_the_time_has_no_effect() {
    let parts = Parts::waiting(3_000);
    let made = parts.file("made");
    let line = format!("touch {}", made.display());
    let waiting = Running::start(&mut parts.front(&line), Some(b""));
    let submitted = journal::wait_for(&parts.journal(), "command_submitted", 1);
    let id = submitted["body"]["id"].as_str().expect("an id");
    waiting.wait(LIMIT).expect(126);
    eventually("the service to know of it", LIMIT, || (!parts.reviewer().audit().is_empty()).then_some(()));
    let late = parts.reviewer().run(&["approve", id]);
    assert_ne!(late.code(), 0, "{}", late.out());
    std::thread::sleep(Duration::from_millis(500));
    assert!(!made.exists());
    parts.verify().expect(10);
}

#[test]
fn a_decision_counts_once() {
    let parts = Parts::new();
    let line = format!("echo x >> {}", parts.file("made").display());
    let waiting = Running::start(&mut parts.front(&line), Some(b""));
    let id = parts.reviewer().wait_for(&line);
    parts.reviewer().run(&["approve", &id]).expect(0);
    waiting.wait(LIMIT).expect(0);
    assert_ne!(parts.reviewer().run(&["approve", &id]).code(), 0);
    assert_ne!(parts.reviewer().run(&["deny", &id, "--reason", "changed my mind"]).code(), 0);
    assert_eq!(std::fs::read_to_string(parts.file("made")).expect("made"), "x\n");
}
