//! What the daemons write to standard error.

use std::process::Command;

use countersign_tests::parts::Parts;
use countersign_tests::programs::{SERVER, program};
use countersign_tests::run::{Daemon, LIMIT, Running, eventually};

/// A journal or a file would keep the colours of a terminal as bytes between the words.
#[test]
fn no_colours_go_to_a_file() {
    let mut parts = Parts::new();
    parts.service = None;
    Running::start(&mut parts.front("true"), Some(b"")).wait(LIMIT).expect(69);
    let host = parts.host.as_ref().expect("the host");
    let log = eventually("a warning", LIMIT, || Some(host.log()).filter(|log| log.contains("WARN")));
    assert!(!log.contains('\x1b'), "{log:?}");
}

/// One variable for both daemons, as OPERATIONS.md says.
#[test]
fn the_service_says_as_much_as_it_is_told_to() {
    let parts = Parts::without_service(1000);
    let serve = |level: Option<&str>, log: &str| {
        let mut command = Command::new(program(SERVER));
        command.env_remove("COUNTERSIGN_LOG").env_remove("RUST_LOG");
        command.envs(level.map(|level| ("COUNTERSIGN_LOG", level)));
        command.args(["serve", "--plain", "--listen", "127.0.0.1:0", "--state"]).arg(parts.scratch.join("service"));
        let daemon = Daemon::start(&mut command, &parts.scratch.join(log));
        let said = daemon.log();
        assert_eq!(daemon.terminate(), 0);
        said
    };
    assert!(serve(None, "usual.log").contains("opened"));
    assert_eq!(serve(Some("error"), "quiet.log"), "");
}
