//! The service's certificate is pinned: by the host at enrolment, by the reviewer in their file.

use std::fs;

use countersign_tests::installation::{Installation, Options};
use countersign_tests::journal;
use countersign_tests::parts::write_private;
use countersign_tests::run::run;

#[test]
fn another_certificate_is_refused() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    host.reviewer().allow("echo ran");
    assert_eq!(run(&mut host.ssh("echo ran")).expect(0).out(), "ran\n");
    let service = host.service.take().expect("a service");
    let listen = service.ready.rsplit_once("//").expect("an address").1.to_owned();
    service.kill();
    let own = |name: &str| host.scratch.join("service").join(name);
    let kept = ["cert.pem", "cert.key"].map(|name| (own(name), fs::read(own(name)).expect("its certificate")));
    for (path, _) in &kept {
        fs::remove_file(path).expect("its certificate");
    }
    // The same service, the same database, the same key for decisions: only the certificate is new.
    host.start_service(&listen);
    let ended = run(&mut host.ssh("echo ran")).expect(69);
    assert_eq!(ended.out(), "");
    let decided = journal::wait_for(&host.journal(), "decided", 2);
    assert_eq!(decided["body"]["outcome"], "error");
    assert_ne!(host.reviewer().run(&["pending"]).code(), 0, "the reviewer's tool does not send its token there either");
    host.service.take().expect("a service").kill();
    for (path, bytes) in &kept {
        fs::remove_file(path).expect("the new certificate");
        fs::write(path, bytes).expect("its certificate");
        std::os::unix::fs::chown(path, Some(host.uids.server), Some(host.uids.server)).expect("owner");
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o400)).expect("mode");
    }
    host.start_service(&listen);
    assert_eq!(run(&mut host.ssh("echo ran")).expect(0).out(), "ran\n", "the control: with its own it is served again");
}

#[test]
fn a_reviewer_with_another_fingerprint_is_not_served() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = host.scratch.join("reviewer.toml");
    let good = fs::read_to_string(&file).expect("reviewer.toml");
    host.reviewer().run(&["pending"]).expect(0);
    let line = good.lines().find(|line| line.starts_with("fingerprint")).expect("a fingerprint");
    write_private(&file, &good.replace(line, &format!("fingerprint = \"{}\"", "A".repeat(43))));
    host.reviewer().run(&["pending"]).expect(78).says(&["certificate"]);
    write_private(&file, &good.replace(line, ""));
    host.reviewer().run(&["pending"]).expect(78).says(&["fingerprint"]);
}
