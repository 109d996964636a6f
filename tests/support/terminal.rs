//! A program on a terminal, and the one who sits there.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::{LIMIT, eventually};

/// Asks the terminal to mark what is pasted: the editor does each time it begins to take a line, after its prompt.
const TAKES: &str = "?2004h";
/// Ends that: a line that was let run is at work from here on.
const WORKS: &str = "?2004l";

/// The terminal's other side. Hung up when dropped.
pub struct Terminal {
    child: Child,
    keyboard: Option<File>,
    seen: Arc<Mutex<Vec<u8>>>,
    reads: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    /// A terminal that is too simple for marks of what is pasted.
    dumb: bool,
    from: usize,
    /// How many prompts were waited for or passed over.
    prompts: usize,
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
        let term = program.get_envs().find_map(|(name, value)| if name == "TERM" { value?.to_str() } else { None });
        let dumb = !term.is_some_and(|term| term.starts_with("xterm"));
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
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while may_read.load(Ordering::Relaxed)
                && let Ok(count @ 1..) = screen.read(&mut piece)
            {
                into.lock().expect("screen").extend_from_slice(&piece[..count]);
            }
        });
        Self { child, keyboard: Some(keyboard), seen, reads, reader: Some(reader), dumb, from: 0, prompts: 0 }
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
        self.screen().text
    }

    fn screen(&self) -> Screen {
        read(&self.seen.lock().expect("screen"))
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
        let length = text.len();
        self.wait(&format!("{text:?}"), |_, rest| Some(rest.find(text)? + length));
    }

    /// Waits for this in what was shown after what was last expected: where it ends there.
    #[track_caller]
    fn wait(&mut self, what: &str, find: impl Fn(&Screen, &str) -> Option<usize>) {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            let rest = screen.text.get(self.from..).unwrap_or_default();
            if let Some(end) = find(&screen, rest) {
                self.from += end;
                return;
            }
            let all = &screen.text;
            assert!(start.elapsed() < LIMIT, "{what} does not come; there is {rest:?} after all of\n{all}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a prompt at which a line is taken, after what was last expected. A prompt that is only drawn again,
    /// below a notice or after ^C at the prompt, is none.
    #[track_caller]
    pub fn prompt(&mut self) {
        let (from, passed, dumb) = (self.from, self.prompts, self.dumb);
        self.wait("a prompt", |screen, rest| {
            if !dumb {
                return screen.prompts.iter().skip(passed).find(|at| **at >= from).map(|at| at - from);
            }
            let row = screen.text.rfind('\n').map_or(0, |end| end + 1);
            let prompt = if nix::unistd::geteuid().is_root() { "# " } else { "$ " };
            (row >= from && rest.ends_with(prompt)).then_some(rest.len())
        });
        self.prompts = self.screen().prompts.iter().filter(|at| **at <= self.from).count();
    }

    /// Whether no line is at work.
    pub fn is_idle(&self) -> bool {
        !self.screen().works
    }

    /// Waits until no line is at work, and passes over all that was shown by then.
    #[track_caller]
    pub fn idle(&mut self) {
        let dumb = self.dumb;
        self.wait("a prompt", |screen, rest| (dumb || !screen.works).then_some(rest.len()));
        self.prompts = self.screen().prompts.iter().filter(|at| **at <= self.from).count();
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
        let ended = eventually("the end of the login", LIMIT, || self.child.try_wait().expect("wait"));
        // The last words may still be on their way to the screen: until nobody has the other side any more.
        if let Some(reader) = self.reader.take() {
            eventually("the terminal's other side to be closed", LIMIT, || reader.is_finished().then_some(()));
            reader.join().expect("the reader");
        }
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

/// What was shown.
struct Screen {
    /// Without escape sequences, carriage returns and bells.
    text: String,
    /// Where in it each prompt ends at which a line was taken.
    prompts: Vec<usize>,
    /// Whether a line was let run since the last of these.
    works: bool,
}

/// Text without escape sequences, carriage returns and bells.
pub fn plain(bytes: &[u8]) -> String {
    read(bytes).text
}

fn read(bytes: &[u8]) -> Screen {
    let text = String::from_utf8_lossy(bytes);
    let mut screen = Screen { text: String::new(), prompts: Vec::new(), works: true };
    let shown = &mut screen.text;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\x1b', Some('[')) => {
                chars.next();
                let mut sequence = String::new();
                // It may not be there to its end yet.
                while !sequence.ends_with(|c| ('@'..='~').contains(&c))
                    && let Some(c) = chars.next()
                {
                    sequence.push(c);
                }
                match sequence.as_str() {
                    // What was written over is shown as rows of its own.
                    other if other.ends_with('K') && !shown.ends_with('\n') => shown.push('\n'),
                    TAKES => {
                        screen.works = false;
                        // bash and python ask for it before their prompts.
                        if shown.ends_with("# ") || shown.ends_with("$ ") {
                            screen.prompts.push(shown.len());
                        }
                    }
                    WORKS => screen.works = true,
                    _ => {}
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
    screen
}
