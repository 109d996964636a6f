//! The inner terminal by its path: it is the agent's, as programs expect of a terminal.

use std::fs;

use countersign_tests::run::{LIMIT, eventually};

use super::Login;

/// Writes a line to the terminal of this name, pushes one into it where the kernel lets it, and says what came of it.
const WRITER: &str = "import fcntl, os, sys, termios\n\
    if os.fork(): os._exit(0)\n\
    os.setsid()\n\
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)\n\
    for _ in range(50): os.write(fd, b'touch made #written\\n\\r\\n')\n\
    pushed = 0\n\
    for byte in b'touch made #NEVER pushed\\n':\n\
    \x20   try: fcntl.ioctl(fd, termios.TIOCSTI, bytes([byte])); pushed += 1\n\
    \x20   except OSError: pass\n\
    open('wrote', 'w').write(str(pushed))\n";

/// Reads from it and keeps what comes.
const READER: &str = "import os, sys\n\
    if os.fork(): os._exit(0)\n\
    os.setsid()\n\
    fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NOCTTY)\n\
    open('reads', 'w').write('yes')\n\
    while True:\n\
    \x20   part = os.read(fd, 1)\n\
    \x20   if not part: break\n\
    \x20   with open('stolen', 'ab') as kept: kept.write(part)\n";

#[test]
fn what_is_written_to_the_inner_terminal_is_output_and_no_line() {
    let mut login = Login::new();
    fs::write(login.file("writer.py"), WRITER).expect("program");
    let line = "python3 writer.py \"$(tty)\" & until [ -e wrote ]; do sleep 0.1; done; wait";
    login.line(line);
    assert!(login.terminal.shown().contains("touch made #written"), "it was not tried");
    // Where the kernel lets it, what is pushed is typed: a line that is held like any other.
    let pushed = fs::read_to_string(login.file("wrote")).expect("what it did") != "0";
    if pushed {
        login.terminal.expect("denied");
        login.terminal.prompt();
    }
    login.ends("echo ali''ve", "alive");
    let submitted = login.submitted();
    let others: Vec<_> = submitted.iter().filter(|it| *it != line && *it != "echo ali''ve").collect();
    assert_eq!(others.is_empty(), !pushed);
    assert!(others.iter().all(|it| *it == "touch made #NEVER pushed"), "{others:?}");
    assert!(!login.file("made").exists());
    login.leave();
}

/// What is typed to a program that runs another one of the account may take, and docs/SECURITY.md says so. Whoever
/// still reads there when the line has ended ends the login: what is typed at the prompt does not go there.
#[test]
fn who_reads_at_the_inner_terminal_ends_the_login_before_its_next_line() {
    let mut login = Login::new();
    fs::write(login.file("reader.py"), READER).expect("program");
    login
        .terminal
        .send("python3 reader.py \"$(tty)\" & until [ -e reads ]; do sleep 0.1; done; echo be''gun; cat >/dev/null\r");
    login.terminal.expect("begun");
    let stolen = login.file("stolen");
    // It and `cat` take turns.
    eventually("what is typed to a program", LIMIT, || {
        login.terminal.send("z\r");
        fs::read_to_string(&stolen).is_ok_and(|text| text.contains('z')).then_some(())
    });
    login.terminal.send("\x03");
    login.terminal.expect("a mark did not come back through the terminal");
    login.terminal.end();
    login.check(&[10]);
}
