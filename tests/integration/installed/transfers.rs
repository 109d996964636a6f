//! `scp -O`, both ways.

use std::process::Command;

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, random_bytes};

fn scp(host: &Installation, words: &[&str]) -> Command {
    let mut command = Command::new("scp");
    command.arg("-O").args(host.ssh_options("-P")).args(words);
    command
}

#[test]
fn both_ways() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let sent = random_bytes(3 << 20);
    let (local, back) = (host.scratch.join("local"), host.scratch.join("back"));
    std::fs::write(&local, &sent).expect("file");
    let place = format!("{AGENT}@127.0.0.1:kept");
    let (local, back) = (local.to_str().expect("path"), back.to_str().expect("path"));

    let client = Running::start(&mut scp(&host, &[local, &place]), Some(b""));
    host.reviewer().approve("scp -t kept");
    client.wait(LIMIT).expect(0);
    assert!(std::fs::read(host.home().join("kept")).expect("kept") == sent, "what arrived is not what was sent");

    let client = Running::start(&mut scp(&host, &[&place, back]), Some(b""));
    host.reviewer().approve("scp -f kept");
    client.wait(LIMIT).expect(0);
    assert!(std::fs::read(back).expect("back") == sent, "what came back is not what was sent");

    let opened = journal::of_kind(&host.journal(), "session_opened");
    assert!(opened.iter().all(|entry| entry["body"]["kind"] == "transfer"));
    for recording in std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten() {
        let cast = Cast::read(&recording.path());
        assert!(cast.stdout().is_empty(), "a transfer's bytes are not recorded");
        assert!(cast.markers().iter().any(|marker| marker.contains("scp")), "{:?}", cast.markers());
    }
    host.verify().expect(10);
}

#[test]
fn denied() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let local = host.scratch.join("local");
    std::fs::write(&local, "text").expect("file");
    let words = [local.to_str().expect("path"), &format!("{AGENT}@127.0.0.1:kept")];
    let client = Running::start(&mut scp(&host, &words), Some(b""));
    host.reviewer().deny("scp -t kept", "no files today");
    let ended = client.wait(LIMIT);
    assert_ne!(ended.code(), 0);
    ended.says(&["no files today"]);
    assert!(!host.home().join("kept").exists());
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
}
