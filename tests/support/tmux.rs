//! A terminal as people and agents have it: a window of tmux, and what is on its screen.

use std::process::Command;
use std::time::Duration;

use crate::run::{LIMIT, eventually};

/// A tmux of a test's own, ended when dropped.
pub struct Tmux {
    socket: String,
}

impl Tmux {
    /// One window of 80 by 24 in which this line runs.
    #[track_caller]
    pub fn start(line: &str) -> Self {
        let this = Self { socket: format!("cs_t_{}", std::process::id()) };
        this.run(&["-u", "new-session", "-d", "-x", "80", "-y", "24", line]);
        this
    }

    /// `tmux ARGS`; what it prints.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        let out = Command::new("tmux").args(["-L", &self.socket, "-f", "/dev/null"]).args(args).output().expect("tmux");
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("text")
    }

    /// `send-keys -l TEXT`, then Enter.
    #[track_caller]
    pub fn enter(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
        self.run(&["send-keys", "Enter"]);
    }

    /// Waits until the screen is as it should be, and gives it.
    #[track_caller]
    pub fn wait(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        let begun = std::time::Instant::now();
        loop {
            let screen = self.run(&["capture-pane", "-p"]);
            if seen(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < LIMIT, "{what}: not on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until what ran in its window has ended.
    #[track_caller]
    pub fn wait_for_the_end(&self) {
        let there = || Command::new("tmux").args(["-L", &self.socket, "has-session"]).output().expect("tmux");
        eventually("the window to close", LIMIT, || (!there().status.success()).then_some(()));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        drop(Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output());
    }
}
