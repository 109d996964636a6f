//! Hosts that take nobody's word but that of people whom their administrators have named.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::slice::from_ref;
use std::time::Duration;

use countersign_tests::fake_service::{Answer, FakeService, SshReview};
use countersign_tests::journal;
use countersign_tests::parts::{Parts, write_private};
use countersign_tests::reviewer::Reviewer;
use countersign_tests::run::{LIMIT, Running, run};
use countersign_tests::signing::SshKey;
use countersign_tests::trial::{second_verifier, verify};

/// A host under an authority, and a service that may lie.
struct Case {
    parts: Parts,
    service: FakeService,
    admin: SshKey,
    keys: Vec<SshKey>,
}

const NAMES: [&str; 3] = ["ann", "bob", "eve"];

impl Case {
    /// `people` of ann and bob must sign; eve is nobody.
    fn new(people: usize) -> Self {
        let service = FakeService::start(Answer::Approve, Duration::ZERO);
        let parts = Parts::without_service(5_000);
        let dir = parts.scratch.path().to_owned();
        let admin = SshKey::generate(&dir, "admin", "ed25519");
        let kinds = ["ed25519", "ecdsa", "ed25519"];
        let keys = NAMES.iter().zip(kinds).map(|(name, kind)| SshKey::generate(&dir, name, kind)).collect();
        parts.enroll(&service.url(), &format!("cse1.{}", "A".repeat(43))).expect(0);
        fs::write(dir.join("admins"), admin.public()).expect("admins");
        let mut case = Self { parts, service, admin, keys };
        case.write(1, people, &[0, 1]);
        let (document, admins) = (case.document(), dir.join("admins"));
        case.parts.start_host_under(&document, &admins);
        case
    }

    fn document(&self) -> PathBuf {
        self.parts.scratch.join("authority.toml")
    }

    /// Puts a signed document in place that names these reviewers.
    fn write(&self, version: u64, people: usize, who: &[usize]) {
        self.write_with(version, people, who, "");
    }

    /// The same with rules.
    fn write_with(&self, version: u64, people: usize, who: &[usize], rules: &str) {
        let reviewers: String = who
            .iter()
            .map(|&i| format!("[[reviewer]]\nname = \"{}\"\nkeys = [\"{}\"]\n", NAMES[i], self.keys[i].public()))
            .collect();
        let text = format!("fmt = \"cs-authority1\"\nversion = {version}\npeople = {people}\n{reviewers}{rules}");
        fs::write(self.document(), &text).expect("document");
        let signatures = self.admin.armored("authority.v1@countersign", &text);
        fs::write(self.parts.scratch.join("authority.toml.sig"), signatures).expect("signatures");
    }

    fn review(&self, who: usize, name: &'static str) -> SshReview {
        SshReview { name, key: self.keys[who].clone(), decision: "approve", of_this: true }
    }

    /// Submits `touch made`; whether it ran, and what the ledger says.
    fn submit(&self, reviews: &[SshReview]) -> (bool, String) {
        self.service.reviews(reviews);
        let made = self.parts.file("made");
        let before = journal::of_kind(&self.parts.journal(), "decided").len();
        let ended = run(&mut self.parts.front(&format!("touch {}", made.display())));
        let decided = journal::wait_for(&self.parts.journal(), "decided", before + 1);
        let word = decided["body"]["why"].as_str().or(decided["body"]["outcome"].as_str()).expect("a word").to_owned();
        let ran = made.exists();
        assert_eq!(ran, ended.code() == 0, "{}", ended.err());
        if ran {
            fs::remove_file(made).expect("made");
        }
        (ran, word)
    }
}

#[test]
fn a_service_that_has_only_its_own_key_approves_nothing() {
    let case = Case::new(1);
    let no = |word: &str| (false, word.to_owned());
    let [ann, bob, eve] = [case.review(0, "ann"), case.review(1, "bob"), case.review(2, "eve")];
    assert_eq!(case.submit(&[]), no("reviewers_missing"), "its own word");
    case.service.answer(Answer::ApproveAtOnce);
    assert_eq!(case.submit(&[]), no("rule_not_in_authority"), "a rule of its own");
    assert_eq!(case.submit(from_ref(&ann)), no("rule_not_in_authority"), "a rule of its own beside a review");
    case.service.answer(Answer::Approve);
    assert_eq!(case.submit(&[eve]), no("review_invalid"), "a person of its own");
    assert_eq!(case.submit(&[case.review(2, "ann")]), no("review_invalid"), "a key of its own in another's name");
    assert_eq!(case.submit(&[case.review(1, "ann")]), no("review_invalid"), "one reviewer in another's name");
    let other = SshReview { of_this: false, ..ann.clone() };
    assert_eq!(case.submit(&[other]), no("review_invalid"), "a review of something else");
    let denies = SshReview { decision: "deny", ..ann.clone() };
    assert_eq!(case.submit(from_ref(&denies)), no("review_invalid"), "a review that says no");
    assert_eq!(case.submit(&[ann.clone(), denies]), no("review_invalid"), "a yes and a no of one person");
    // The service says that ops-lead has approved, who has not signed.
    assert_eq!(case.submit(from_ref(&ann)), no("reviewers_missing"), "in the name of somebody who has not signed");
    case.service.answer(Answer::ApprovedByAnn);
    assert_eq!(case.submit(&[bob]), no("reviewers_missing"));
    assert_eq!(case.submit(&[ann]), (true, "approved".to_owned()), "the control");
    let decided = journal::of_kind(&case.parts.journal(), "decided").pop().expect("decided");
    assert_eq!(decided["body"]["reviews"].as_array().map(Vec::len), Some(1));
}

#[test]
fn two_people_are_two_people() {
    let case = Case::new(2);
    case.service.answer(Answer::ApprovedByAnn);
    let (ann, bob) = (case.review(0, "ann"), case.review(1, "bob"));
    assert_eq!(case.submit(from_ref(&ann)), (false, "reviewers_missing".to_owned()));
    assert_eq!(case.submit(&[ann.clone(), ann.clone()]), (false, "reviewers_missing".to_owned()), "ann twice");
    assert_eq!(case.submit(&[ann, bob]), (true, "approved".to_owned()));
}

#[test]
fn a_document_that_changes_is_in_force_at_once_or_nothing_runs() {
    let case = Case::new(1);
    case.service.answer(Answer::ApprovedByAnn);
    let (ann, unusable) = (case.review(0, "ann"), (false, "authority_unusable".to_owned()));
    let changed = || journal::of_kind(&case.parts.journal(), "policy_changed").len();
    assert_eq!(case.submit(from_ref(&ann)), (true, "approved".to_owned()));
    assert_eq!(changed(), 1);
    // Ann is removed, that is, her key is revoked.
    case.write(2, 1, &[1]);
    assert_eq!(case.submit(from_ref(&ann)), (false, "review_invalid".to_owned()));
    assert_eq!(changed(), 2);
    // The document in which she stood comes back.
    case.write(1, 1, &[0, 1]);
    assert_eq!(case.submit(from_ref(&ann)), unusable, "an older version");
    case.write(2, 1, &[0, 1]);
    assert_eq!(case.submit(from_ref(&ann)), unusable, "another document of the same version");
    case.write(3, 1, &[0, 1]);
    let signed = fs::read_to_string(case.document()).expect("document");
    fs::write(case.document(), signed.replace("people = 1", "people = 1 ")).expect("document");
    assert_eq!(case.submit(from_ref(&ann)), unusable, "changed after it was signed");
    fs::remove_file(case.document()).expect("document");
    assert_eq!(case.submit(from_ref(&ann)), unusable, "gone");
    case.write(3, 1, &[0, 1]);
    assert_eq!(case.submit(&[ann]), (true, "approved".to_owned()), "back in a higher version");
    assert_eq!(changed(), 3);
}

#[test]
fn a_host_that_demanded_signatures_does_not_start_without() {
    let mut case = Case::new(1);
    drop(case.parts.host.take());
    let ended = run(&mut case.parts.host_command()).expect(78);
    ended.says(&["demands reviewers' signatures", "[authority]"]);
    case.write(7, 1, &[0]);
    let text = fs::read_to_string(case.document()).expect("document");
    fs::write(case.document(), text + "# \n").expect("document");
    let mut command = case.parts.host_command();
    command.arg("--authority").arg(case.document()).arg("--admins").arg(case.parts.scratch.join("admins"));
    run(&mut command).expect(78).says(&["0 of the administrators have signed", "ssh-keygen -Y sign"]);
    verify(&case.parts.host_dir(), None).expect(20);
}

/// The document whitelists; the service carries that, and can stretch it to nothing else.
#[test]
fn a_rule_of_the_document_lets_run_and_no_other_does() {
    let case = Case::new(1);
    let made = case.parts.file("made");
    let allow = format!("[[rule]]\nexact = \"touch {}\"\n", made.display());
    let no = |word: &str| (false, word.to_owned());
    case.service.answer(Answer::HostRule);
    case.write_with(2, 1, &[0, 1], &allow);
    assert_eq!(case.submit(&[]), (true, "whitelisted".to_owned()));
    let decided = journal::of_kind(&case.parts.journal(), "decided").pop().expect("decided");
    assert!(decided["body"]["by"] == "whitelist_rule:1" && decided["body"]["reviews"].is_null(), "{decided}");
    // The same rule of the same policy, claimed for a line that it does not speak for.
    let other = case.parts.file("other");
    run(&mut case.parts.front(&format!("touch {}", other.display()))).expect(69);
    assert!(!other.exists());
    let decided = journal::of_kind(&case.parts.journal(), "decided").pop().expect("decided");
    assert_eq!(decided["body"]["why"], "rule_not_in_authority");
    case.service.answer(Answer::ApproveAtOnce);
    assert_eq!(case.submit(&[]), no("rule_not_in_authority"), "a rule of the same number under the service's policy");
    case.service.answer(Answer::Approve);
    assert_eq!(case.submit(&[]), no("reviewers_missing"), "a person who has not signed, beside the rule");
    trusted(&case, "1 whitelisted (re-evaluated)");

    case.service.answer(Answer::HostRule);
    case.write(3, 1, &[0, 1]);
    assert_eq!(case.submit(&[]), no("rule_not_in_authority"), "the rule was taken out");
    case.write_with(4, 1, &[0, 1], &format!("[[rule]]\neffect = \"deny\"\npatterns = [\"touch **\"]\n{allow}"));
    case.service.answer(Answer::ApprovedByAnn);
    assert_eq!(case.submit(&[case.review(0, "ann")]), no("authority_denies"), "whoever approves");
    let decided = journal::of_kind(&case.parts.journal(), "decided").pop().expect("decided");
    assert!(decided["body"]["by"] == "deny_rule:1" && decided["body"]["outcome"] == "blocked", "{decided}");
    case.service.answer(Answer::HostRule);
    case.write_with(5, 1, &[0, 1], &format!("{allow}uses = 3\n"));
    assert_eq!(case.submit(&[]), no("authority_unusable"), "what a host cannot count");
    case.write_with(5, 1, &[0, 1], &format!("{allow}match = [\"ls\"]\n"));
    assert_eq!(case.submit(&[]), no("authority_unusable"), "an example that comes out otherwise");
    case.write_with(5, 1, &[0, 1], &allow);
    assert_eq!(case.submit(&[]), (true, "whitelisted".to_owned()), "back");
    trusted(&case, "2 whitelisted (re-evaluated)");
}

/// Waits until every login is closed.
fn all_closed(parts: &Parts) {
    let opened = journal::of_kind(&parts.journal(), "session_opened").len();
    journal::wait_for(&parts.journal(), "session_closed", opened);
}

/// The record under trust files with and without administrators.
fn trusted(case: &Case, says: &str) {
    all_closed(&case.parts);
    let key = journal::of_kind(&case.parts.journal(), "host_enrolled")[0]["body"]["key"].clone();
    let mut trust: serde_json::Value =
        serde_json::from_str(&case.service.trust(key.as_str().expect("key"))).expect("JSON");
    let file = case.parts.scratch.join("auditors.json");
    for (admins, not_shown) in [(serde_json::Value::Null, true), (serde_json::json!([case.admin.public()]), false)] {
        if !admins.is_null() {
            trust["admins"] = admins;
        }
        fs::write(&file, trust.to_string()).expect("trust file");
        let told = verify(&case.parts.host_dir(), Some(&file)).expect(10).out();
        assert!(told.contains(says) && told.contains("decision.not_shown") == not_shown, "{told}");
        let second = second_verifier(&case.parts.host_dir(), &file).expect(10);
        assert!(second.out().contains("decision.not_shown"), "{}{}", second.out(), second.err());
    }
}

/// With the real service, whose own rules say nothing, ask, and refuse.
#[test]
fn the_service_carries_a_rule_of_the_document_and_may_refuse_it() {
    let mut parts = Parts::without_service(20_000);
    let dir = parts.scratch.path().to_owned();
    let url = parts.start_service("127.0.0.1:0");
    let token = parts.server(&["enroll-token", "--name", "test-host"]).expect(0).out();
    parts.enroll(&url, token.trim()).expect(0);
    parts.make_reviewer(&url);
    let [admin, ann] = ["admin", "ann"].map(|name| SshKey::generate(&dir, name, "ed25519"));
    fs::write(dir.join("admins"), admin.public()).expect("admins");
    let reviewer = format!("[[reviewer]]\nname = \"ann\"\nkeys = [\"{}\"]\n", ann.public());
    let rule = "[[rule]]\npatterns = [\"echo ran\", \"echo no\"]\n";
    let text = format!("fmt = \"cs-authority1\"\nversion = 1\n{reviewer}{rule}");
    let document = dir.join("authority.toml");
    fs::write(&document, &text).expect("document");
    fs::write(dir.join("authority.toml.sig"), admin.armored("authority.v1@countersign", &text)).expect("signatures");
    parts.start_host_under(&document, &dir.join("admins"));
    assert_eq!(run(&mut parts.front("echo ran")).expect(0).out(), "ran\n");
    let rules = dir.join("rules.toml");
    fs::write(&rules, "fmt = \"cs-rules1\"\n[[rule]]\neffect = \"deny\"\npatterns = [\"echo no\"]\n").expect("rules");
    parts.reviewer().run(&["rules", "import", &rules.display().to_string()]).expect(0);
    run(&mut parts.front("echo no")).expect(126);
    let decided = journal::of_kind(&parts.journal(), "decided");
    let outcomes: Vec<_> = decided.iter().map(|one| one["body"]["outcome"].as_str().expect("outcome")).collect();
    assert_eq!(outcomes, ["whitelisted", "blocked"]);
    let mut trust: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(parts.trust()).expect("trust file")).expect("JSON");
    trust["admins"] = serde_json::json!([admin.public()]);
    let file = dir.join("auditors.json");
    fs::write(&file, trust.to_string()).expect("trust file");
    all_closed(&parts);
    let told = verify(&parts.host_dir(), Some(&file)).expect(10).out();
    assert!(told.contains("1 whitelisted (re-evaluated)") && !told.contains("decision.not_shown"), "{told}");
}

/// The whole way with the real service: two people look at what the host recorded, sign it with their own keys, and
/// then it runs; a rule of the service does not replace them.
#[test]
fn people_sign_with_their_own_keys() {
    let mut parts = Parts::without_service(20_000);
    let dir = parts.scratch.path().to_owned();
    let url = parts.start_service("127.0.0.1:0");
    let token = parts.server(&["enroll-token", "--name", "test-host"]).expect(0).out();
    parts.enroll(&url, token.trim()).expect(0);
    let admin = SshKey::generate(&dir, "admin", "ed25519");
    fs::write(dir.join("admins"), admin.public()).expect("admins");
    let mut text = "fmt = \"cs-authority1\"\nversion = 1\npeople = 2\n".to_owned();
    let people: Vec<_> = [("ann", "ed25519"), ("bob", "ecdsa")]
        .into_iter()
        .map(|(name, kind)| {
            let key = SshKey::generate(&dir, name, kind);
            text += &format!("[[reviewer]]\nname = \"{name}\"\nkeys = [\"{}\"]\n", key.public());
            let file = dir.join(format!("{name}.toml"));
            write_private(&file, &parts.server(&["reviewer", "add", name, "--url", &url]).expect(0).out());
            (Reviewer::with_config(&file), key)
        })
        .collect();
    let document = dir.join("authority.toml");
    fs::write(&document, &text).expect("document");
    fs::write(dir.join("authority.toml.sig"), admin.armored("authority.v1@countersign", &text)).expect("signatures");
    parts.start_host_under(&document, &dir.join("admins"));
    let [(ann, ann_key), (bob, bob_key)] = &people[..] else { panic!("two people") };
    ann.allow("echo ran");

    let client = Running::start(&mut parts.front("echo ran"), Some(b""));
    let id = ann.wait_for("echo ran");
    ann.run(&["approve", &id]).expect(78).says(&["--key FILE", "sign_with"]);
    ann.run(&["approve", &id, "--key", &bob_key.file().display().to_string()]).expect(0);
    let after = ann.run(&["approve", &id, "--key", &ann_key.file().display().to_string()]);
    assert_ne!(after.code(), 0, "one vote each: {}{}", after.out(), after.err());
    bob.run(&["approve", &id, "--key", &bob_key.file().display().to_string()]).expect(0);
    // Ann signed with bob's key: the host finds one who signed in another's name.
    let ended = client.wait(LIMIT).expect(69);
    assert_eq!(ended.out(), "");

    let client = Running::start(&mut parts.front("echo ran"), Some(b""));
    let id = ann.wait_for("echo ran");
    let said = ann.run(&["approve", &id, "--key", &ann_key.file().display().to_string()]).expect(0);
    assert!(
        said.err().contains("signing as ann") && said.out().contains("waits for more"),
        "{}{}",
        said.out(),
        said.err()
    );
    bob.run(&["approve", &id, "--key", &bob_key.file().display().to_string()]).expect(0);
    assert_eq!(client.wait(LIMIT).expect(0).out(), "ran\n");
    let decided = journal::of_kind(&parts.journal(), "decided").pop().expect("decided");
    assert_eq!(decided["body"]["reviews"].as_array().map(Vec::len), Some(2));
    assert!(parts.verify().expect(10).out().contains("names no administrators"));
    auditors(&parts, &admin, &ann_key.public());
}

/// The same record under trust files that name administrators, by both verifiers.
fn auditors(parts: &Parts, admin: &SshKey, reviewer: &str) {
    let text = fs::read_to_string(parts.trust()).expect("trust file");
    let mut trust: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let file = parts.scratch.join("auditors.json");
    for (named, code) in [(admin.public(), 10), (reviewer.to_owned(), 40)] {
        trust["admins"] = serde_json::json!([named]);
        fs::write(&file, trust.to_string()).expect("trust file");
        verify(&parts.host_dir(), Some(&file)).expect(code);
        second_verifier(&parts.host_dir(), &file).expect(code);
    }
    let key = parts.scratch.join("reviewer.pub");
    fs::write(&key, reviewer).expect("key");
    let print = run(Command::new("ssh-keygen").arg("-lf").arg(&key)).expect(0).out();
    let print = print.split(' ').nth(1).expect("a fingerprint");
    trust["admins"] = serde_json::json!([admin.public()]);
    trust["revoked"] = serde_json::json!([{"at": "2020-01-01T00:00:00Z", "key": print}]);
    fs::write(&file, trust.to_string()).expect("trust file");
    for ended in [verify(&parts.host_dir(), Some(&file)), second_verifier(&parts.host_dir(), &file)] {
        assert!(ended.expect(50).out().contains("review.revoked"));
    }
}
