//! What an agent's file names and hang-ups do to the record of an sftp session.

use std::process::Command;

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use serde_json::Value;

const READ_WRITE: &str = "/usr/lib/openssh/sftp-server -e -l INFO";

/// A client that says what it likes: `CODE` sends messages and waits for the answer to each.
const CLIENT: &str = r#"
import struct, subprocess, sys
ssh = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
text = lambda value: struct.pack(">I", len(value)) + value
def say(kind, body):
    ssh.stdin.write(struct.pack(">IB", len(body) + 1, kind) + body)
    ssh.stdin.flush()
    length, kind = struct.unpack(">IB", ssh.stdout.read(5))
    return ssh.stdout.read(length - 1)
def opened(name):
    answer = say(3, struct.pack(">I", 1) + text(name) + struct.pack(">II", 1, 0))
    return answer[8:]
def read(handle, count):
    return say(5, struct.pack(">I", 2) + text(handle) + struct.pack(">QI", 0, count))
def close(handle):
    say(4, struct.pack(">I", 3) + text(handle))
say(1, struct.pack(">I", 3))
"#;

/// Runs such a client; the session's `exec_finished`, and its markers that came of the server's log.
fn session(host: &Installation, code: &str) -> (Value, Vec<String>) {
    let before = journal::of_kind(&host.journal(), "exec_finished").len();
    let mut client = Command::new("python3");
    client.args(["-c", &format!("{CLIENT}\n{code}\nssh.stdin.close()\nssh.wait()"), "ssh"]);
    client.args(host.ssh_options("-p")).args(["-s", &format!("{AGENT}@127.0.0.1"), "sftp"]);
    let client = Running::start(&mut client, Some(b""));
    host.reviewer().approve(READ_WRITE);
    client.wait(LIMIT).expect(0);
    let finished = journal::wait_for(&host.journal(), "exec_finished", before + 1);
    let closed = journal::wait_for(&host.journal(), "session_closed", before + 1);
    let name = format!("{}.cast", closed["sess"]["id"].as_str().expect("a login"));
    let cast = Cast::read(&host.host_dir().join("recordings").join(name));
    let markers = cast.markers().into_iter().filter(|marker| marker.starts_with("sftp")).collect();
    (finished["body"].clone(), markers)
}

#[test]
fn a_name_forges_no_line_of_the_record_and_hides_nothing() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (body, markers) = session(
        &host,
        r#"opened(b'x" flags READ mode 0666\r\nopen "/etc/made-up" flags READ mode 0666\nclose "/etc/made-up" bytes read 7 written 7\n')"#,
    );
    assert!(markers.iter().all(|marker| !marker.starts_with("sftp: open \"/etc/made-up")), "{markers:?}");
    assert!(markers[0].contains("⏎open \"/etc/made-up\"") && !markers.concat().contains('\n'), "{markers:?}");
    assert_eq!((&body["files"], &body["files_read"]), (&0.into(), &0.into()), "{body}");

    // What is made visible is longer than it was.
    let (_, markers) = session(&host, r#"opened(b"/" + b"\r" * 60 + b"/../etc/hidden-behind")"#);
    assert!(markers.concat().contains("/../etc/hidden-behind"), "{markers:?}");
    host.verify().expect(10);
}

#[test]
fn what_was_read_is_counted_or_said_not_to_be_known() {
    let Some(host) = Installation::new(Options::default()) else { return };
    std::fs::write(host.home().join("kept"), "text").expect("file");
    // Left open: the server closes it by force.
    let (body, markers) = session(&host, r#"assert b"text" in read(opened(b"kept"), 100)"#);
    assert_eq!((&body["files"], &body["files_read"]), (&1.into(), &4.into()), "{body} {markers:?}");
    // So long a name that the server cuts the sums off its log.
    let (body, markers) =
        session(&host, r#"handle = opened(b"./" * 520 + b"kept"); assert b"text" in read(handle, 100); close(handle)"#);
    assert!(body["files"].is_null() && body["files_read"].is_null(), "{body}");
    assert!(markers.last().expect("a marker").contains("is not known"), "{markers:?}");
    host.verify().expect(10);
}

/// Code in the memory of another program of the agent's, its shell for one, would run unasked.
#[test]
fn the_memory_of_other_programs_is_no_file() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut other = host.as_agent("/usr/bin/sleep", &["600"]).spawn().expect("a program of the agent");
    let memory = format!("/proc/{}/mem", other.id());
    eventually("it to run", LIMIT, || {
        std::fs::read_to_string(format!("/proc/{}/comm", other.id())).ok().filter(|name| name == "sleep\n")
    });
    // The control: but for this, or Yama, any program of the agent's may.
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").is_ok_and(|value| value.trim() != "0");
    let tried = run(&mut host.as_agent("/usr/bin/python3", &["-c", &format!("open({memory:?}, 'r+b')")]));
    assert_eq!(tried.code() == 0, !yama, "{}", tried.err());
    std::fs::write(host.home().join("kept"), "text").expect("file");
    let code = format!(
        "assert opened(b{memory:?}) == b'\\0\\0\\0\\x11Permission denied\\0\\0\\0\\0', 'it was opened'\nassert read(opened(b'kept'), 9)"
    );
    session(&host, &code);
    // Renames from one directory to another still work.
    let rename = "say(14, struct.pack('>I', 7) + text(b'd') + struct.pack('>I', 0)); say(18, struct.pack('>I', 8) + text(b'kept') + text(b'd/moved'))";
    session(&host, rename);
    assert!(host.home().join("d/moved").exists());
    other.kill().expect("killed");
    other.wait().expect("reaped");
    host.verify().expect(10);
}
