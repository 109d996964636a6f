//! Programs of the agent's account against the processes of the gate.

use std::process::{Command, Stdio};

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS};
use countersign_tests::journal;
use countersign_tests::programs::SHELL;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::terminal::Terminal;
use nix::sys::signal::Signal;

const ATTACKER: &str = include_str!("attacker.py");
/// Attacks in [`ATTACKER`].
const ATTACKS: usize = 26;

/// A process of the agent's that lets others of the same account trace it where only a parent may (Yama 1).
const PREY: &str = "import ctypes, os, time; os.dup2(os.open('/dev/null', os.O_RDONLY), 0); ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0); print('here', flush=True); time.sleep(40)";

fn ptrace_is_for_root() -> bool {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    matches!(scope.trim(), "2" | "3")
}

fn attack(host: &Installation, pids: &[u32]) -> String {
    let words: Vec<_> = pids.iter().map(ToString::to_string).collect();
    let words: Vec<_> = ["-c", ATTACKER].into_iter().chain(words.iter().map(String::as_str)).collect();
    let words: Vec<_> = ["--wait", "/usr/bin/python3"].into_iter().chain(words).collect();
    // In a session of its own, as everything the gate starts: SIGCONT may be sent within one.
    run(host.as_agent("setsid", &words).stdin(Stdio::null())).expect(0).out()
}

#[test]
fn no_process_of_the_gate_can_be_reached() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let client = host.approved(&[], "echo begun; sleep 40; echo ended", None);
    eventually("it to begin", LIMIT, || (client.out_so_far() == b"begun\n").then_some(()));
    let terminal = host.approved(&["-tt"], "echo begun; sleep 40", None);
    eventually("it to begin", LIMIT, || terminal.out_so_far().starts_with(b"begun").then_some(()));
    // Those that look at something for the spawners are gone in a moment.
    let gate = eventually("two fronts, two spawners, a daemon and its signer", LIMIT, || {
        Some(host.gate()).filter(|gate| gate.len() == 6)
    });

    let own = Running::start(&mut host.as_agent("/usr/bin/python3", &["-c", PREY]), None);
    eventually("the agent's own process", LIMIT, || (own.out_so_far() == b"here\n").then_some(()));
    let control = attack(&host, &[own.pid().unsigned_abs()]);
    own.wait(LIMIT);
    if ptrace_is_for_root() {
        eprintln!("of the control only this works, because the kernel lets only root trace (Yama):\n{control}");
        assert!(control.contains("signal_kill"), "{control}");
    } else {
        assert_eq!(control.lines().count(), ATTACKS, "every attack works on a process of the agent's own:\n{control}");
    }

    assert_eq!(attack(&host, &gate), "", "each line is an attack that worked");
    assert_eq!(host.gate(), gate, "all are still there");
    client.signal(Signal::SIGKILL);
    terminal.signal(Signal::SIGKILL);
    eventually("both logins to be closed", LIMIT, || {
        (journal::of_kind(&host.journal(), "session_closed").len() == 2).then_some(())
    });
    host.verify().expect(10);
}

/// Pushes a line into both of its terminals, as far as it may, and says how often that was let.
const PUSH: &str = r#"
import fcntl, os, termios
let = 0
for name in ('/dev/tty', os.ttyname(1)):
    try:
        terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
        for c in 'touch pushed\n':
            fcntl.ioctl(terminal, termios.TIOCSTI, c.encode())
        let += 1
    except OSError as error:
        print(name, error)
print('let', let, 'times')
"#;

/// What is pushed into the terminals of a login is what its program reads, or a line that is held; never a line that
/// runs. Where the kernel lets nobody push (`dev.tty.legacy_tiocsti=0`), nothing comes.
#[test]
fn pushed_input_is_held_like_any_other() {
    let Some(host) = Installation::new(Options::default()) else { return };
    std::fs::write(host.home().join("push.py"), PUSH).expect("script");
    let reviewer = host.reviewer();
    let mut command = host.ssh_as(AGENT, &["-tt"], &[]);
    command.current_dir("/").env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.prompt();
    let line = "/usr/bin/python3 push.py";
    terminal.send(&format!("{line}\r"));
    reviewer.approve(line);
    terminal.expect("let ");
    let refused = std::fs::read_to_string("/proc/sys/dev/tty/legacy_tiocsti").is_ok_and(|value| value.trim() == "0");
    if refused {
        eprintln!("the kernel lets nobody push (dev.tty.legacy_tiocsti=0)");
        terminal.expect("0 times");
        terminal.prompt();
        // What had come would be before this.
        terminal.send("echo no''thing\r");
        reviewer.approve("echo no''thing");
        terminal.expect("nothing");
    } else {
        assert!(!terminal.shows("0 times"), "the control: it can be pushed");
        // As if typed ahead: it comes to the editor, and from there to a person.
        reviewer.deny("touch pushed", "nobody typed that");
        terminal.expect("nobody typed that");
    }
    terminal.prompt();
    terminal.send("\x04");
    terminal.end();
    assert!(!host.home().join("pushed").exists());
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}

/// Starting the login shell by hand, in every way in which a caller can spoil a process that it starts.
#[test]
fn hostile_starts() {
    let Some(host) = Installation::new(Options { wait_ms: 1500, ..Options::default() }) else { return };
    let made = host.home().join("made");
    let line = format!("touch {}", made.display());
    let start = |(name, code): &(&str, &str)| {
        let script = format!("{SPOIL}\n{code}\nstart(*arguments)\n");
        let mut command: Command = host.as_agent("/usr/bin/python3", &["-c", &script, &line]);
        let ended = Running::start(&mut command, Some(line.as_bytes())).wait(LIMIT);
        let ran = made.exists();
        // 126 refused or timed out, 64 … 78 could not start, 127 the loader could not; anything else would be the line's own end.
        let closed = !ran && matches!(ended.code(), 64..=78 | 126 | 127 | 128..=192) && ended.out().is_empty();
        let said = format!("{name}: ran {ran}, exit {}, {:?} {:?}", ended.code(), ended.out(), ended.err());
        (!closed).then_some(said)
    };
    // Below the quotas of 16 logins at a time and 60 submissions a minute.
    let start = &start;
    let wrong: Vec<_> = STARTS
        .chunks(8)
        .flat_map(|some| {
            std::thread::scope(|scope| {
                let running: Vec<_> = some.iter().map(|one| scope.spawn(move || start(one))).collect();
                running.into_iter().filter_map(|one| one.join().expect("a start")).collect::<Vec<_>>()
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eventually("every login to be closed", LIMIT, || {
        let count = |kind| journal::of_kind(&host.journal(), kind).len();
        (count("session_opened") == count("session_closed")).then_some(())
    });
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
    host.verify().expect(10);
}

/// How late a wait may end is handed down, and with an hour of it none ends by its time.
#[test]
fn waits_that_may_be_an_hour_late_end_in_time() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let line = "(setsid sh -c 'trap \"\" HUP; sleep 60' > /dev/null 2>&1 < /dev/null &) ; echo done";
    let script =
        format!("{SPOIL}\nassert libc.prctl(29, ctypes.c_ulong(3600 * 10**9), 0, 0, 0) == 0\nstart(*arguments)\n");
    let client = Running::start(&mut host.as_agent("/usr/bin/python3", &["-c", &script, line]), Some(b""));
    host.reviewer().approve(line);
    assert_eq!(client.wait(LIMIT).expect(0).out(), "done\n");
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}

/// What each start shares.
const SPOIL: &str = r#"
import ctypes, fcntl, os, resource, signal, sys
shell = "/srv/countersign/bin/countersign-sh"
arguments = [shell, "-c", sys.argv[1]]
environment = {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"]}
libc = ctypes.CDLL(None, use_errno=True)

def texts(words):
    words = [os.fsencode(word) for word in words]
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)

def start(*words):
    libc.execve(shell.encode(), texts(words), texts([name + '=' + value for name, value in environment.items()]))
    # The kernel refused it: nothing was started.
    os._exit(77)
"#;

/// How a start is spoiled. (`preloaded` has what would load or run something of the agent's.)
const STARTS: &[(&str, &str)] = &[
    ("ordinary, nobody answers", ""),
    ("no argument at all, a script on standard input", "arguments = []"),
    ("an empty name", "arguments[0] = ''"),
    ("two hundred kilobytes of name", "arguments[0] = 'x' * 120000"),
    ("many arguments", "arguments += ['-c', 'touch /dev/null'] * 500"),
    ("an argument that is no text", "arguments = [shell, b'-c', b'\\xff\\xfe' + sys.argv[1].encode()]"),
    (
        "a hostile loader",
        "environment.update({'GLIBC_TUNABLES': 'glibc.malloc.check=3', 'LD_DEBUG': 'all', 'LD_BIND_NOT': '1'})",
    ),
    (
        "a hostile shell environment",
        "environment.update({'BASH_ENV': os.environ['HOME']+'/x', 'ENV': os.environ['HOME']+'/x', 'SHELLOPTS': 'xtrace', 'PS4': '$(touch $HOME/made)', 'BASH_FUNC_touch%%': '() { :; }', 'IFS': 'o', 'PATH': os.environ['HOME']})",
    ),
    ("a forced command that is not forced", "environment['SSH_ORIGINAL_COMMAND'] = 'touch made'"),
    (
        "ours by other names",
        "environment.update({'COUNTERSIGN_SOCKET': '/tmp/x', 'COUNTERSIGN_CONFIG': '/tmp/x', 'COUNTERSIGN_TRIAL': '1'})",
    ),
    ("a million bytes of environment", "environment.update({'V%d' % n: 'x' * 100000 for n in range(10)})"),
    ("no descriptors", "os.closerange(0, 256)"),
    ("only standard input is closed", "os.close(0)"),
    ("only standard output is closed", "os.close(1)"),
    ("only standard error is closed", "os.close(2)"),
    (
        "descriptors that are the wrong way round",
        "r = os.open('/dev/null', os.O_RDONLY); w = os.open('/dev/null', os.O_WRONLY); os.dup2(w, 0); os.dup2(r, 1)",
    ),
    (
        "a thousand descriptors inherited",
        "fs = [os.dup(0) for n in range(900)]; [os.set_inheritable(f, True) for f in fs]",
    ),
    (
        "a full pipe as standard error",
        "r, w = os.pipe(); os.set_inheritable(r, True); fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)\ntry:\n  while True: os.write(w, b'x' * 4096)\nexcept BlockingIOError: pass\nos.dup2(w, 2)",
    ),
    (
        "no file may grow",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    ),
    ("no file may grow, and the signal kills", "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
    ("three descriptors", "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"),
    ("eight descriptors", "resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))"),
    ("a second of processor time", "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))"),
    ("one process", "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))"),
    ("no stack", "resource.setrlimit(resource.RLIMIT_STACK, (65536, 65536))"),
    ("little memory", "resource.setrlimit(resource.RLIMIT_AS, (24 << 20, 24 << 20))"),
    ("no locked memory", "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))"),
    ("every signal blocked", "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))"),
    ("every signal ignored", "[signal.signal(n, signal.SIG_IGN) for n in range(1, 32) if n not in (9, 19)]"),
    ("children that nobody waits for", "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"),
    ("an alarm in half a second", "signal.setitimer(signal.ITIMER_REAL, 0.5)"),
    ("an alarm of processor time", "signal.setitimer(signal.ITIMER_PROF, 0.01)"),
    ("a mask of nothing", "os.umask(0o777)"),
    ("a directory that is gone", "d = os.environ['HOME'] + '/gone'; os.mkdir(d); os.chdir(d); os.rmdir(d)"),
    (
        "a directory that it may not see",
        "d = os.environ['HOME'] + '/closed'; os.makedirs(d, exist_ok=True); os.chdir(d); os.chmod(d, 0)",
    ),
    ("no new privileges", "libc.prctl(38, 1, 0, 0, 0)"),
    ("a parent that traces", TRACED),
    ("a name space of users", "libc.unshare(0x10000000)"),
    ("killed with its parent", "libc.prctl(1, 9, 0, 0, 0)\nif os.fork(): os._exit(126)"),
    ("idle scheduling", "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"),
    ("the lowest priority", "os.nice(19)"),
    ("one processor", "os.sched_setaffinity(0, {0})"),
    ("the first to be killed for memory", "open('/proc/self/oom_score_adj', 'w').write('1000')"),
    ("a session of its own", "os.fork() and os._exit(126)\nos.setsid()"),
];

/// A parent that runs its traced child on through every stop, and ends as it ends.
const TRACED: &str = r#"
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, 0, 0)
else:
    while True:
        status = os.waitpid(child, 0)[1]
        if not os.WIFSTOPPED(status):
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)
        libc.ptrace(7, child, 0, 0)
"#;

/// No process can be started any more: lines are still held, what cannot start does not run, and the login ends in
/// order. (With jobs of its own in the background bash then waits for one of these to end, gate or not.)
#[test]
fn a_login_without_a_process_left_holds_on() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let approving = host.reviewer().approving();
    let mut command = host.ssh_as(AGENT, &["-tt"], &[]);
    command.current_dir("/").env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.prompt();
    let mut count = 0;
    let mut line = |terminal: &mut Terminal, line: &str, output: &str| {
        count += 1;
        terminal.send(&format!("{line}\r"));
        eventually(line, LIMIT, || (journal::of_kind(&host.journal(), "exec_finished").len() == count).then_some(()));
        terminal.expect(output);
        terminal.prompt();
    };
    line(&mut terminal, "ulimit -u 1; echo lim''ited", "limited");
    // bash tries for some seconds.
    line(&mut terminal, "touch made; echo $?", "Resource temporarily unavailable");
    line(&mut terminal, "cd /; echo ali''ve", "alive");
    assert!(!host.home().join("made").exists());
    terminal.send("\x04");
    terminal.end();
    drop(approving);
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}

/// The kernel counts all fronts and spawners of a host as one user's: a limit for one agent's processes is none for theirs.
#[test]
fn a_soft_limit_on_processes_is_none_for_the_gate() {
    let Some(host) = Installation::new(Options::default()) else { return };
    host.reviewer().allow("echo ran");
    let gate = host.uids.front.to_string();
    let mut others = Command::new("setpriv");
    others.args(["--reuid", &gate, "--clear-groups", "sh", "-c"]);
    others.arg("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 60 & done; echo begun; wait");
    let others = Running::start(&mut others, None);
    eventually("processes of the gate", LIMIT, || (others.out_so_far() == b"begun\n").then_some(()));
    let shell = format!("{PROGRAMS}/{SHELL}");
    let mut front = host.as_agent("prlimit", &["--nproc=12:", &shell, "-c", "echo ran"]);
    assert_eq!(run(front.stdin(Stdio::null())).expect(0).out(), "ran\n");
    // What it starts has the limit that it was given.
    let mut front = host.as_agent("prlimit", &["--nproc=12:", &shell, "-c", "ulimit -Su"]);
    host.reviewer().allow("ulimit -Su");
    assert_eq!(run(front.stdin(Stdio::null())).expect(0).out(), "12\n");
    others.signal(Signal::SIGKILL);
}
