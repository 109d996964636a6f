//! A host becomes known as OPERATIONS.md says it: one command of root's, with nothing made before.

use std::fs;
use std::process::Command;

use countersign_tests::installation::{Installation, Options, PROGRAMS};
use countersign_tests::namespace::owner_and_mode;
use countersign_tests::run::run;

#[test]
fn root_enrols_a_host_that_has_no_directory_yet() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let url = host.service.as_ref().expect("the service").ready.replace("listening on ", "");
    let enrol = |name: &str, state: &std::path::Path| {
        let token = host.server(&["enroll-token", "--name", name]).expect(0).out();
        let file = host.scratch.join("token");
        fs::write(&file, token).expect("token");
        let mut command = Command::new(format!("{PROGRAMS}/countersign"));
        command.args(["enroll", "--service", &url, "--name", name, "--token-file"]).arg(file);
        run(command.arg("--state").arg(state))
    };
    let state = host.scratch.join("var/countersign/host");
    assert!(enrol("second", &state).expect(0).out().contains("enrolled second"));
    assert_eq!(owner_and_mode(&state), format!("{}:{} 700", host.uids.host, host.uids.host));
    assert_eq!(owner_and_mode(&host.scratch.join("var/countersign")), "0:0 755");
    assert_eq!(owner_and_mode(&state.join("identity.key")), format!("{}:{} 400", host.uids.host, host.uids.host));
    // What is there is not made the daemon's.
    let roots = host.scratch.join("var/countersign/other");
    fs::create_dir(&roots).expect("a directory of root's");
    enrol("third", &roots).expect(78);
    assert!(owner_and_mode(&roots).starts_with("0:0 "));
}
