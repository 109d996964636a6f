//! A full disk: refused before anyone is asked; output that cannot be recorded is not shown.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_tests::cast::Cast;
use countersign_tests::journal;
use countersign_tests::namespace::{Namespace, cover, may_enter};
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, Running, eventually, run};

/// Parts whose host keeps its state on a small file system; dropped before the namespace.
fn parts_on(size: &str) -> Option<(Parts, Namespace)> {
    on_small_disk(size, None)
}

/// The same, for so many submissions of one agent a minute.
pub fn on_small_disk(size: &str, submissions_per_minute: Option<u64>) -> Option<(Parts, Namespace)> {
    if !may_enter() {
        return None;
    }
    let namespace = Namespace::enter();
    let mut parts = Parts::without_service(10_000);
    parts.submissions_per_minute = submissions_per_minute;
    cover(&parts.host_dir(), &format!("mode=700,size={size}"));
    let url = parts.start_service("127.0.0.1:0");
    parts.make_reviewer(&url);
    let token = parts.server(&["enroll-token", "--name", "test-host"]).expect(0).out();
    parts.enroll(&url, token.trim()).expect(0);
    parts.start_host();
    Some((parts, namespace))
}

/// Leaves `free` bytes on the file system of `dir`.
fn fill(dir: &Path, free: u64) -> std::path::PathBuf {
    let data = nix::sys::statvfs::statvfs(dir).expect("statvfs");
    let available = data.blocks_available() * data.fragment_size();
    let filler = dir.join("filler");
    fs::write(&filler, vec![1; usize::try_from(available - free).expect("size")]).expect("filler");
    filler
}

#[test]
fn too_little_room_is_refused_before_anyone_is_asked() {
    let Some((parts, _namespace)) = parts_on("64m") else { return };
    parts.reviewer().allow("echo fits");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    let filler = fill(&parts.host_dir(), 20 << 20);
    let ended = run(&mut parts.front("echo fits")).expect(69).says(&["countersign:"]);
    assert_eq!(ended.out(), "");
    let count = |kind: &str| journal::of_kind(&parts.journal(), kind).len();
    eventually("no login to be open", LIMIT, || (count("session_closed") == count("session_opened")).then_some(()));
    assert_eq!(parts.reviewer().audit().len(), 1, "nobody was asked");
    assert_eq!(journal::of_kind(&parts.journal(), "exec_started").len(), 1);
    parts.verify().expect(10);
    fs::remove_file(filler).expect("filler");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n", "it goes on when there is room");
    parts.verify().expect(10);
}

#[test]
fn no_room_at_all_for_the_journal() {
    let Some((parts, _namespace)) = parts_on("64m") else { return };
    parts.reviewer().allow("echo fits");
    let filler = fill(&parts.host_dir(), 0);
    let ended = run(&mut parts.front("echo fits"));
    assert_eq!(ended.code(), 69, "{}", ended.err());
    assert_eq!(ended.out(), "");
    assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty());
    let code = parts.verify().code();
    assert!([10, 11].contains(&code), "exit {code}");
    fs::remove_file(filler).expect("filler");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n", "it goes on by itself when there is room");
    parts.verify().expect(10);
}

#[test]
fn a_recording_leaves_room_for_the_ends_of_everything() {
    let Some((parts, _namespace)) = parts_on("64m") else { return };
    fill(&parts.host_dir(), 40 << 20);
    // 100 MB are far more than fits; the journal must still be able to say how this ended.
    let line = "head -c 100000000 /dev/zero | tr '\\0' x";
    parts.reviewer().allow(line);
    let ended = Running::start(&mut parts.front(line), Some(b"")).wait(LIMIT);
    assert_eq!(ended.code(), 69, "{}", ended.err());
    ended.says(&["recording"]);
    let closed = journal::of_kind(&parts.journal(), "session_closed");
    assert_eq!(closed[0]["body"]["why"], "disk_full");
    parts.verify().expect(10);
}

#[test]
fn output_that_cannot_be_recorded_is_not_shown_and_ends_the_command() {
    ends_when_full("head -c 3000000 /dev/zero | tr '\\0' x");
}

/// There is no room either for what would be written through memory.
#[test]
fn what_comes_piece_by_piece_and_cannot_be_recorded_is_not_shown() {
    ends_when_full("for i in {1..3000}; do printf %900s x; sleep 0.003; done");
}

/// Runs a line whose output has no room in the spool.
#[track_caller]
fn ends_when_full(output: &str) {
    let Some((mut parts, _namespace)) = parts_on("64m") else { return };
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    // Less than what the host drops at a time.
    cover(&parts.host_dir().join("spool"), "size=48k,mode=700");
    parts.start_host();
    let ended_file = parts.file("ended");
    let line = format!("{output}; echo > {}", ended_file.display());
    parts.reviewer().allow(&line);
    let ended = Running::start(&mut parts.front(&line), Some(b"")).wait(LIMIT);
    assert_ne!(ended.code(), 0, "{}", ended.err());
    assert!(ended.stdout.len() < 48 * 1024, "{} bytes were shown", ended.stdout.len());
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "disk_full");
    assert!(Cast::read(&parts.recording()).stdout().starts_with(&ended.stdout), "what was shown is recorded");
    std::thread::sleep(Duration::from_millis(500));
    assert!(!ended_file.exists(), "the command went on");
    let code = parts.verify().code();
    assert!([10, 11].contains(&code), "exit {code}");
}

#[test]
fn a_recording_that_cannot_be_written_ends_the_login_and_is_whole_once_there_is_room() {
    let Some((mut parts, _namespace)) = parts_on("64m") else { return };
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let recordings = parts.host_dir().join("recordings");
    cover(&recordings, "size=8m,mode=700");
    fs::write(recordings.join("filler"), vec![1; (8 << 20) - (128 << 10)]).expect("filler");
    parts.start_host();
    let line = "head -c 3000000 /dev/zero | tr '\\0' x; sleep 60";
    parts.reviewer().allow(line);
    let ended = Running::start(&mut parts.front(line), Some(b"")).wait(LIMIT);
    assert_eq!(ended.code(), 69, "{}", ended.err());
    assert!(journal::of_kind(&parts.journal(), "session_closed").is_empty(), "what was shown is not given up");
    fs::remove_file(recordings.join("filler")).expect("filler");
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "disk_full");
    assert!(Cast::read(&parts.recording()).stdout().starts_with(&ended.stdout), "more was shown than is recorded");
    parts.verify().expect(10);
}

/// No file can be made any more, while there is room enough: no recording, so no login, and the ledger says so.
#[test]
fn no_inode_left_means_that_nothing_runs() {
    let Some((parts, _namespace)) = parts_on("64m,nr_inodes=400") else { return };
    parts.reviewer().allow("echo fits");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    let fillers = parts.host_dir().join("fillers");
    fs::create_dir(&fillers).expect("directory");
    let made = (0..1000).take_while(|n| fs::write(fillers.join(n.to_string()), "").is_ok()).count();
    assert!((10..400).contains(&made), "{made}");
    let made_file = parts.file("made");
    let line = format!("touch {}", made_file.display());
    parts.reviewer().allow(&line);
    let ended = run(&mut parts.front(&line)).expect(69).says(&["the recording cannot be made on this host"]);
    assert_eq!(ended.out(), "");
    assert!(!made_file.exists());
    let closed = journal::wait_for(&parts.journal(), "session_closed", 2);
    // The spool may have been made ahead; then it is the recording that cannot be.
    let why = closed["body"]["why"].as_str().expect("why");
    assert!(["killed", "disk_full"].contains(&why), "{why}");
    fs::remove_dir_all(&fillers).expect("fillers");
    run(&mut parts.front(&line)).expect(0);
    assert!(made_file.exists(), "it goes on when there are some");
    let verified = parts.verify();
    assert!([10, 11].contains(&verified.code()), "{}", verified.out());
}
