//! Limits that an approved line sets for the shell of the login itself.

use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};

use super::Login;

/// bash cannot open a file any more, nor its own pipes: the login goes on or ends, and nothing runs that nobody let,
/// nor what was typed ahead.
#[test]
fn a_shell_without_descriptors_runs_nothing_unasked() {
    for most in [0, 4, 10, 71, 73, 80] {
        let mut login = Login::new();
        login.terminal.send(&format!("ulimit -n {most}\rtouch made #NEVER\r"));
        let mut wanted = 2;
        for line in ["", "echo $(echo sub) | cat >piped", "touch made #NEVER", "echo ali''ve"] {
            if !line.is_empty() && login.terminal.is_running() {
                wanted = login.finished() + 1;
                login.terminal.send(&format!("{line}\r"));
            }
            eventually(&format!("{line:?} to be over, or the login"), LIMIT, || {
                (login.finished() >= wanted || !login.terminal.is_running()).then_some(())
            });
            // What follows a denied line is dropped until there is a pause.
            std::thread::sleep(Duration::from_millis(400));
        }
        let (goes_on, piped) = (login.terminal.is_running(), login.file("piped").exists());
        assert!(!login.file("made").exists(), "{most}");
        assert!(most > 4 || !goes_on || !piped, "the control: so few are felt");
        assert!(most < 80 || goes_on && piped, "the control: so many are enough");
        if goes_on {
            login.leave();
        } else {
            journal::wait_for(&login.parts.journal(), "session_closed", 1);
            login.check(&[10]);
        }
    }
}
