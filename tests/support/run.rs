//! Running programs with a limit of time, and keeping what they say.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest that an ordinary step may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How a program ended and all it wrote.
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
}

impl Ended {
    /// Its exit code; a signal as 128 and its number, as shells have it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Panics unless it exited with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(
            self.code() == code,
            "exit {} where {code} was due\nstdout: {}\nstderr: {}",
            self.code(),
            head(&self.stdout),
            head(&self.stderr)
        );
        self
    }

    /// Panics unless standard error holds each of these texts.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        let err = self.err();
        for text in texts {
            assert!(err.contains(text), "stderr should say {text:?}; it says:\n{err}");
        }
        self
    }
}

fn head(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(4000)];
    format!("{} bytes: {}", bytes.len(), String::from_utf8_lossy(shown))
}

/// Runs to the end with this standard input; panics after [`LIMIT`].
#[track_caller]
pub fn run_with(command: &mut Command, stdin: &[u8]) -> Ended {
    Running::start(command, Some(stdin)).wait(LIMIT)
}

/// Runs to the end with an empty standard input; panics after [`LIMIT`].
#[track_caller]
pub fn run(command: &mut Command) -> Ended {
    run_with(command, b"")
}

/// A program at work. Killed when dropped.
pub struct Running {
    child: Child,
    /// Held where nothing closes standard input yet.
    stdin: Option<ChildStdin>,
    feeder: Option<JoinHandle<()>>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    shown: String,
}

impl Running {
    /// Starts it. `Some(bytes)` are fed to standard input, which is then closed; with `None` it stays open.
    #[track_caller]
    pub fn start(command: &mut Command, stdin: Option<&[u8]>) -> Self {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let mut input = child.stdin.take();
        let feeder = stdin.map(|bytes| {
            let (bytes, mut pipe) = (bytes.to_vec(), input.take().expect("stdin is piped"));
            // A program that does not want its input closes the pipe; that is not an error of the test.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)))
        });
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("stdout is piped"), &stdout),
            collect(child.stderr.take().expect("stderr is piped"), &stderr),
        ];
        Self { child, stdin: input, feeder, stdout, stderr, readers, shown }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.shown));
    }

    /// What it has written to standard output so far.
    pub fn out_so_far(&self) -> Vec<u8> {
        self.stdout.lock().expect("reader").clone()
    }

    /// What it has written to standard error so far.
    pub fn err_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().expect("reader")).into_owned()
    }

    /// Writes to standard input, where that is still open.
    pub fn write(&mut self, bytes: &[u8]) {
        let pipe = self.stdin.as_mut().expect("stdin is open");
        pipe.write_all(bytes).and_then(|()| pipe.flush()).expect("write to stdin");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// Closes standard input and waits for the end.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Ended {
        drop(self.stdin.take());
        self.wait_open(limit)
    }

    /// Waits for the end, leaving standard input as it is.
    #[track_caller]
    pub fn wait_open(mut self, limit: Duration) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            assert!(
                start.elapsed() < limit,
                "{} still runs after {limit:?}\nstdout: {}\nstderr: {}",
                self.shown,
                head(&self.out_so_far()),
                self.err_so_far()
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("reader");
        }
        if let Some(feeder) = self.feeder.take() {
            feeder.join().expect("feeder");
        }
        let (stdout, stderr) = (self.out_so_far(), self.stderr.lock().expect("reader").clone());
        Ended { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut piece) {
            into.lock().expect("collector").extend_from_slice(&piece[..count]);
        }
    })
}

fn end(child: &mut Child) {
    // Both fail only where it has ended already.
    drop(child.kill());
    drop(child.wait());
}

/// A program that serves until it is told to stop. Killed when dropped.
pub struct Daemon {
    child: Child,
    /// The line with which it said that it is ready.
    pub ready: String,
    log: std::path::PathBuf,
}

impl Daemon {
    /// Starts it with standard error in `log` and waits for its first line on standard output.
    #[track_caller]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let shown = format!("{command:?}");
        let log_file = File::options().create(true).append(true).open(log).expect("log file");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(Ok(line)) = lines.next() {
                // Nobody listens after the first line; the pipe is still emptied.
                drop(sender.send(line));
            }
        });
        let Ok(ready) = receiver.recv_timeout(LIMIT) else {
            end(&mut child);
            panic!("{shown} did not become ready:\n{}", std::fs::read_to_string(log).unwrap_or_default());
        };
        Self { child, ready, log: log.to_owned() }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit code, once it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("wait")?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        end(&mut self.child);
    }

    /// SIGTERM; its exit code.
    #[track_caller]
    pub fn terminate(mut self) -> i32 {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).expect("signal");
        let status = eventually("the daemon to stop", LIMIT, || self.child.try_wait().expect("wait"));
        status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// Asks again and again until there is an answer; panics after `limit`.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Random bytes from the kernel.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
    bytes
}
