//! A front whose host daemon lies: what is released must be exactly what the front submitted, once and in time.

use countersign_api::front::{CommandEnd, FrontMessage};
use countersign_tests::fake_host::{Lie, serve_one};
use countersign_tests::parts::front;
use countersign_tests::run::run;
use countersign_tests::scratch::Scratch;

/// Runs `echo x >> made` against this lie: exit code, what was made, what the front said.
fn against(lie: Lie) -> (i32, Option<String>, Vec<FrontMessage>) {
    let scratch = Scratch::new();
    let host = serve_one(&scratch.join("front.sock"), &scratch.join("recording"), lie);
    let made = scratch.join("made");
    let ended = run(&mut front(&scratch.join("front.sock"), scratch.path(), &format!("echo x >> {}", made.display())));
    let heard = host.join().expect("host");
    std::thread::sleep(std::time::Duration::from_millis(100));
    (ended.code(), std::fs::read_to_string(made).ok(), heard)
}

fn ends(heard: &[FrontMessage]) -> Vec<&CommandEnd> {
    heard.iter().filter_map(end).collect()
}

fn end(message: &FrontMessage) -> Option<&CommandEnd> {
    let (FrontMessage::Finished(finished) | FrontMessage::Ended { finished, .. }) = message else { return None };
    Some(&finished.end)
}

#[test]
fn honest_release_runs() {
    let (code, made, heard) = against(Lie::None);
    assert_eq!((code, made.as_deref()), (0, Some("x\n")), "{heard:?}");
    assert_eq!(ends(&heard), [&CommandEnd::Exited(0)]);
    assert!(matches!(heard.last(), Some(FrontMessage::Ended { .. })));
}

#[track_caller]
fn not_run(lie: Lie) {
    let (code, made, heard) = against(lie);
    assert_eq!(made, None, "{lie:?}: it ran");
    assert!([69, 70, 126].contains(&code), "{lie:?}: exit {code}");
    assert!(
        !ends(&heard).iter().any(|end| matches!(end, CommandEnd::Exited(_) | CommandEnd::Signaled(_))),
        "{heard:?}"
    );
}

#[test]
fn release_of_other_bytes() {
    not_run(Lie::OtherBytes);
}

#[test]
fn release_of_fewer_bytes() {
    not_run(Lie::ShorterLength);
}

#[test]
fn release_of_nothing() {
    not_run(Lie::NoSegments);
}

#[test]
fn release_with_another_nonce() {
    not_run(Lie::OtherNonce);
}

#[test]
fn release_of_another_submission() {
    not_run(Lie::OtherId);
}

#[test]
fn release_after_the_deadline() {
    not_run(Lie::Late);
}

#[test]
fn release_before_anything_was_asked() {
    not_run(Lie::Unasked);
}

#[test]
fn message_that_is_none() {
    not_run(Lie::Garbage);
}

#[test]
fn host_that_goes_away() {
    not_run(Lie::Gone);
}

#[test]
fn release_sent_twice_runs_once() {
    let (_, made, _) = against(Lie::Twice);
    assert!(made.is_none() || made.as_deref() == Some("x\n"), "it ran twice: {made:?}");
}
