//! A program on a terminal, and the one who sits there.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::eventually;

/// How long something may take to appear.
const PATIENCE: Duration = Duration::from_secs(12);

/// The terminal's other side. Hung up when dropped.
pub struct Terminal {
    child: Child,
    keyboard: Option<File>,
    seen: Arc<Mutex<Vec<u8>>>,
    reads: Arc<AtomicBool>,
    from: usize,
}

impl Terminal {
    /// Starts the program in a session of its own, with the terminal in control of it.
    pub fn start(program: &Command, columns: u16, rows: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a terminal");
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(program.get_current_dir().expect("a directory"));
        let slave = || pty.slave.try_clone().expect("descriptor");
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("setsid");
        drop(command);
        drop(pty.slave);
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().expect("descriptor");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let reads = Arc::new(AtomicBool::new(true));
        let (into, may_read) = (Arc::clone(&seen), Arc::clone(&reads));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while may_read.load(Ordering::Relaxed)
                && let Ok(count @ 1..) = screen.read(&mut piece)
            {
                into.lock().expect("screen").extend_from_slice(&piece[..count]);
            }
        });
        Self { child, keyboard: Some(keyboard), seen, reads, from: 0 }
    }

    /// The program's process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Types.
    pub fn send(&mut self, text: &str) {
        self.keyboard.as_mut().expect("the line is open").write_all(text.as_bytes()).expect("typing");
    }

    /// All that was shown, without escape sequences and carriage returns.
    pub fn shown(&self) -> String {
        plain(&self.seen.lock().expect("screen"))
    }

    /// All that was shown, as it came.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.lock().expect("screen").clone()
    }

    /// Whether this was shown after what was last expected.
    pub fn shows(&self, text: &str) -> bool {
        self.shown().get(self.from..).is_some_and(|rest| rest.contains(text))
    }

    /// Waits until this is shown, after what was last expected.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            let shown = self.shown();
            if let Some(at) = shown.get(self.from..).and_then(|rest| rest.find(text)) {
                self.from += at + text.len();
                return;
            }
            let rest = shown.get(self.from..).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "{text:?} does not come; there is {rest:?} after all of\n{shown}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a prompt.
    #[track_caller]
    pub fn prompt(&mut self) {
        self.expect(if nix::unistd::geteuid().is_root() { "# " } else { "$ " });
    }

    /// Reads no more, for good, and does not hang up.
    pub fn stop_reading(&self) {
        self.reads.store(false, Ordering::Relaxed);
    }

    /// Another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        // The master's size is that of the terminal; stty sets it and sends SIGWINCH.
        let keyboard = self.keyboard.as_ref().expect("the line is open").try_clone().expect("descriptor");
        let args = ["cols", &columns.to_string(), "rows", &rows.to_string()].map(str::to_owned);
        assert!(Command::new("stty").args(args).stdin(keyboard).status().expect("stty").success());
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let ended = eventually("the end of the login", PATIENCE, || self.child.try_wait().expect("wait"));
        // The last words may still be on their way to the screen.
        std::thread::sleep(Duration::from_millis(50));
        ended
    }

    /// Hangs up and waits for the end. The reading side lets go when nobody writes any more, so the program is
    /// told as a terminal that goes away tells it.
    #[track_caller]
    pub fn hang_up(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.pid()), Signal::SIGHUP).expect("signal");
        self.end()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("--- the terminal\n{}", self.shown());
        }
    }
}

/// Text without escape sequences, carriage returns and bells.
pub fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\x1b', Some('[')) => {
                chars.next();
                let last = chars.by_ref().find(|c| ('@'..='~').contains(c));
                // What was written over is shown as rows of its own.
                if last == Some('K') && !shown.ends_with('\n') {
                    shown.push('\n');
                }
            }
            ('\x1b', Some(']')) => {
                chars.by_ref().find(|c| *c == '\x07');
            }
            ('\x1b', Some(_)) => drop(chars.next()),
            ('\r' | '\x07' | '\x1b', _) => {}
            (c, _) => shown.push(c),
        }
    }
    shown
}
