//! A client that goes away.

use std::time::Duration;

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use nix::sys::signal::Signal;

#[test]
fn while_pending_cancels_and_nothing_runs() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let made = host.home().join("made");
    for (count, flags) in [(1, &[][..]), (2, &["-tt"][..])] {
        let client = Running::start(&mut host.ssh_as(AGENT, flags, &["touch made"]), None);
        let id = host.reviewer().wait_for("touch made");
        client.signal(Signal::SIGKILL);
        let decided = journal::wait_for(&host.journal(), "decided", count);
        assert_eq!(
            (&decided["body"]["outcome"], &decided["body"]["why"]),
            (&"cancelled".into(), &"hangup".into()),
            "{flags:?}"
        );
        eventually("the service to know", LIMIT, || host.reviewer().pending().is_empty().then_some(()));
        assert_ne!(host.reviewer().run(&["approve", &id]).code(), 0);
        let closed = journal::wait_for(&host.journal(), "session_closed", count);
        assert_eq!(closed["body"]["why"], "hangup");
    }
    std::thread::sleep(Duration::from_millis(300));
    assert!(!made.exists());
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
    host.verify().expect(10);
}

#[test]
fn closed_input_is_no_hang_up() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // `ssh -n` and an empty standard input close fd 0 at once.
    let client = Running::start(&mut host.ssh_as(AGENT, &["-n"], &["echo ran"]), Some(b""));
    host.reviewer().wait_for("echo ran");
    std::thread::sleep(Duration::from_millis(700));
    host.reviewer().approve("echo ran");
    assert_eq!(client.wait(LIMIT).expect(0).out(), "ran\n");
}

#[test]
fn while_running_ends_the_command() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for (count, flags) in [(1, &[][..]), (2, &["-tt"][..])] {
        let client = host.approved(flags, "echo begun; until [ -e go ]; do sleep 0.1; done; touch ended", None);
        eventually("it to begin", LIMIT, || {
            String::from_utf8_lossy(&client.out_so_far()).contains("begun").then_some(())
        });
        client.signal(Signal::SIGKILL);
        let closed = journal::wait_for(&host.journal(), "session_closed", count);
        assert_eq!(closed["body"]["why"], "hangup", "{flags:?}");
    }
    std::fs::write(host.home().join("go"), "").expect("a file");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!host.home().join("ended").exists(), "it went on without its client");
    host.verify().expect(10);
}

#[test]
fn what_a_command_leaves_behind_is_ended() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let escapes = "touch begun; until [ -e go ]; do sleep 0.1; done; touch escaped";
    let waits = "until [ -e begun ]; do sleep 0.1; done";
    host.run(&format!("(setsid sh -c '{escapes}' > /dev/null 2>&1 < /dev/null &) ; {waits}; echo done")).expect(0);
    std::fs::write(host.home().join("go"), "").expect("a file");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!host.home().join("escaped").exists(), "a double-forked child outlived the login");
}

/// Each process is gone before its id can be used: what is killed one by one gets away.
const FORKS_AWAY: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **words) {
    time_t until = time(0) + 12;
    // Half of what a machine has by default: others must go on.
    setrlimit(RLIMIT_NPROC, &(struct rlimit){16000, 16000});
    signal(SIGHUP, SIG_IGN);
    for (int fd = 0; fd < 3; fd++) dup2(open("/dev/null", O_RDWR), fd);
    for (int i = 1; i < 60 && fork() > 0; i++) {}
    setsid();
    while (time(0) < until) {
        if (fork() > 0) _exit(0);
        setsid();
    }
    creat("escaped", 0644);
}
"#;

#[test]
fn what_forks_away_is_ended_too() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (source, program) = (host.scratch.join("away.c"), host.home().join("away"));
    std::fs::write(&source, FORKS_AWAY).expect("source");
    run(std::process::Command::new("cc").args(["-O1", "-static", "-o"]).arg(&program).arg(&source)).expect(0);
    // The connection's own process is the agent's, too, and may go with the rest.
    let ended = host.approved(&[], "./away; echo done", Some(b"")).wait(LIMIT);
    assert!(matches!(ended.code(), 0 | 255), "{}", ended.err());
    // The daemons have to get a turn beside it, too, before the login is at its end.
    std::thread::sleep(Duration::from_secs(14));
    assert!(!host.home().join("escaped").exists(), "it outlived the login");
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.run("true").expect(0);
    host.verify().expect(10);
}

/// A program of another user's that anybody may start and that waits: an SMTP server on standard input, `sudo` with
/// a command that everybody is allowed.
const WAITS: &str = r#"
#include <sys/types.h>
#include <unistd.h>
int main(void) {
    if (setreuid(0, 0)) return 1;
    alarm(40);
    for (;;) pause();
}
"#;

/// More of these than are looked at, and behind them one of the agent's.
const HIDES: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
static void away(void) {
    if (fork()) _exit(0);
    setsid();
    for (int fd = 0; fd < 3; fd++) dup2(open("/dev/null", O_RDWR), fd);
}
int main(int count, char **words) {
    for (int i = 0; i < 1100; i++) {
        if (i % 50 == 49) usleep(50000);
        if (fork()) continue;
        away();
        execl(words[1], "waits", (char *)0);
        _exit(1);
    }
    sleep(2);
    if (!fork()) {
        away();
        signal(SIGHUP, SIG_IGN);
        sleep(8);
        creat("escaped", 0644);
        _exit(0);
    }
    sleep(1);
    return 0;
}
"#;

#[test]
fn what_hides_behind_programs_of_others_is_ended_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(host) = Installation::new(Options::default()) else { return };
    let make = |name: &str, text: &str, program: &std::path::Path| {
        let source = host.scratch.join(name);
        std::fs::write(&source, text).expect("source");
        run(std::process::Command::new("cc").args(["-O1", "-static", "-o"]).arg(program).arg(&source)).expect(0);
    };
    let waits = std::path::Path::new("/srv/waits");
    make("waits.c", WAITS, waits);
    std::fs::set_permissions(waits, std::fs::Permissions::from_mode(0o4755)).expect("mode");
    make("hides.c", HIDES, &host.home().join("hides"));
    // The connection's own process is the agent's, too, and may go with the rest.
    let ended = host.approved(&[], "./hides /srv/waits", Some(b"")).wait(LIMIT);
    assert!(matches!(ended.code(), 0 | 255), "{}", ended.err());
    journal::wait_for(&host.journal(), "session_closed", 1);
    std::thread::sleep(Duration::from_secs(9));
    assert!(!host.home().join("escaped").exists(), "it outlived the login");
    host.verify().expect(10);
}
