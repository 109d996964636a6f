//! As people see it: in tmux, 80 by 24.

use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::tmux::Tmux;

#[test]
fn looks_right_in_80_by_24() {
    let parts = Parts::new();
    let _person = Person::at_work(&parts.scratch.join("reviewer.toml"));
    let shell = super::shell(&parts, "tmux-256color");
    let words: Vec<_> =
        std::iter::once(shell.get_program()).chain(shell.get_args()).map(|w| w.to_str().unwrap()).collect();
    let work = parts.scratch.join("work");
    let line = format!("cd {} && LANG=C.UTF-8 exec {}", work.display(), words.join(" "));
    let tmux = Tmux::start(&line);
    tmux.wait("a prompt", |s| s.trim_end().ends_with('#') || s.trim_end().ends_with('$'));
    tmux.run(&["send-keys", "-l", "PS1='p> '"]);
    tmux.run(&["send-keys", "Enter"]);
    tmux.wait("the new prompt", |s| s.trim_end().ends_with("p>"));
    tmux.run(&["send-keys", "C-l"]);
    // A line that wraps, with wide characters, edited at both ends.
    let text = "漢".repeat(50);
    tmux.run(&["send-keys", "-l", &format!("cho '{text}' | wc -m")]);
    tmux.run(&["send-keys", "C-a"]);
    tmux.run(&["send-keys", "-l", "e"]);
    tmux.run(&["send-keys", "Enter"]);
    let screen = tmux.wait("the count", |s| s.contains("\n51\n") && s.trim_end().ends_with("p>"));
    assert!(screen.starts_with("p> echo '漢漢"), "{screen}");
    assert!(screen.trim_end().ends_with("51\np>"), "nothing of the waiting line is left:\n{screen}");
    tmux.run(&["send-keys", "-l", "true # LATER"]);
    tmux.run(&["send-keys", "Enter"]);
    let screen = tmux.wait("the waiting line", |s| s.contains("asking ops-lead") && s.contains("s left"));
    assert_eq!(screen.lines().filter(|row| row.contains("countersign: held")).count(), 1, "{screen}");
    let first = screen.clone();
    let later = tmux.wait("the time to go on", |s| s.contains("s left") && s != first);
    assert_eq!(later.lines().filter(|row| row.contains("countersign: held")).count(), 1, "in place:\n{later}");
    tmux.run(&["send-keys", "C-c"]);
    let screen = tmux.wait("the end of it", |s| s.contains("cancelled"));
    assert!(!screen.contains("asking"), "{screen}");
    tmux.run(&["resize-window", "-x", "60", "-y", "20"]);
    tmux.run(&["send-keys", "-l", "stty size"]);
    tmux.run(&["send-keys", "Enter"]);
    tmux.wait("the size", |s| s.contains("20 60"));
    tmux.run(&["send-keys", "Up"]);
    tmux.wait("history", |s| s.trim_end().ends_with("p> stty size"));
    tmux.run(&["send-keys", "C-u"]);
    tmux.run(&["send-keys", "C-d"]);
    tmux.wait_for_the_end();
    super::nothing_undecided(&parts);
    parts.verify().expect(10);
}
