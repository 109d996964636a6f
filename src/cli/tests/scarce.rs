//! `countersign verify` where hardly anything is to be had.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Where no thread can be started one core does all, and says the same.
#[test]
fn verify_needs_no_second_thread() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/ledger/epochs");
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // Root is under no limit of processes: somebody else runs it, who may not see where it was built.
    let program = dir.path().join("countersign");
    std::fs::copy(env!("CARGO_BIN_EXE_countersign"), &program).unwrap();
    // More than one core has in memory at a time, so that others are wanted: what repeats is 40.
    let journal = std::fs::read(golden.join("journal/0000000000000000.jsonl")).unwrap();
    let (whole, long) = (dir.path().join("whole.jsonl"), dir.path().join("long.jsonl"));
    std::fs::write(&whole, &journal).unwrap();
    std::fs::write(&long, journal.repeat(200)).unwrap();
    let trust = dir.path().join("trust.json");
    std::fs::copy(golden.join("trust.json"), &trust).unwrap();
    let run = |limited: bool, journal: &Path| {
        let mut command = Command::new(if limited { "setpriv" } else { "env" });
        if limited && nix::unistd::geteuid().is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        } else if limited {
            command.arg("--");
        }
        if limited {
            command.args(["bash", "-c", "ulimit -u 0; exec \"$@\"", "sh"]);
        }
        let ran = command.arg(&program).args(["verify", "--trust"]).arg(&trust).arg(journal).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap())
    };
    for (journal, exit) in [(&whole, 11), (&long, 40)] {
        let plenty = run(false, journal);
        assert_eq!(plenty.0, Some(exit), "{plenty:?}");
        assert_eq!(run(true, journal), plenty);
    }
}
