//! What the service vouches for: the only way to exit code 0.

use std::fs;
use std::process::Command;

use countersign_tests::installation::{Installation, Options};
use countersign_tests::journal;
use countersign_tests::programs::{CLI, program};
use countersign_tests::run::{LIMIT, eventually, run};

#[test]
fn an_installed_host_reaches_service_held() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    host.run("echo one").expect(0);
    let good = || host.verify_with(&[]).code() == 0;
    eventually("the service to cosign", LIMIT, || good().then_some(()));
    let verdict = host.verify_with(&[]).expect(0).out();
    assert!(verdict.contains("SERVICE-HELD") && verdict.contains("up to seq"), "{verdict}");
    host.verify_with(&["--signatures", "checkpoint"]).expect(0);
    host.verify_with(&["--require", "self-attested"]).expect(0);
    host.verify_with(&["--require", "witnessed"]).expect(10);

    // A head noted now is found in what follows, and shows when the end is cut.
    let head = host.scratch.join("head.json");
    let report = host.verify_with(&["--json"]).expect(0).out();
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let known = format!(
        "{{\"fmt\":\"cs-head1\",\"host\":{},\"leaf\":{},\"seq\":{}}}\n",
        report["host"], report["up_to"]["leaf"], report["up_to"]["seq"]
    );
    fs::write(&head, known).expect("known head");
    let head = head.to_str().expect("text").to_owned();
    host.run("echo two").expect(0);
    eventually("the service to cosign", LIMIT, || (host.verify_with(&[]).code() == 0).then_some(()));
    host.verify_with(&["--known-head", &head]).expect(0);

    // Stopped in order, everything is cosigned; a bundle is worth what it is made of.
    drop(host.host.take());
    host.verify_with(&[]).expect(0);
    let bundle = host.scratch.join("out.tar");
    run(Command::new(program(CLI)).arg("bundle").arg(host.host_dir()).arg("-o").arg(&bundle)).expect(0);
    let trust = host.scratch.join("trust.json");
    let verify = |flags: &[&str]| run(Command::new(program(CLI)).arg("verify").arg(&bundle).args(flags));
    verify(&["--trust", trust.to_str().expect("text")]).expect(0);
    verify(&[]).expect(20);

    let files = journal::files(&host.journal());
    let whole = fs::read_to_string(&files[0]).expect("journal");
    let seq = report["up_to"]["seq"].as_u64().expect("seq");
    let before = whole.lines().take(usize::try_from(seq).expect("small")).map(|line| format!("{line}\n"));
    fs::write(&files[0], before.collect::<String>()).expect("journal");
    host.verify_with(&["--known-head", &head]).expect(41);

    // What was never cosigned is not vouched for.
    fs::write(&files[0], &whole).expect("journal");
    drop(host.service.take());
    host.start_host();
    drop(host.host.take());
    let verdict = host.verify_with(&[]);
    assert_eq!(verdict.code(), 0, "a start and a stop tell nothing new: {}", verdict.out());
}
