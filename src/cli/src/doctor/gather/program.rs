//! Running the few programs of the system that know what no file says:
//! `sshd -T`, `sudo -l`, `timedatectl`. Only root's own, with nothing inherited.

use super::walk::walk;
use crate::doctor::facts::{Kind, Known};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest that a program may take.
const LIMIT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(2);
/// Longest output that is kept, in bytes.
const MAX_OUTPUT: u64 = 1024 * 1024;

/// How a program ended.
pub struct Ran {
    /// Whether it exited with 0.
    pub ok: bool,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Whether a program is installed.
pub fn installed(path: &Path) -> bool {
    walk(path).is_ok_and(|found| found.target().is_some())
}

/// Runs a program of the system to its end. `None` where it is not installed.
pub fn run(path: &Path, arguments: &[&str]) -> Known<Option<Ran>> {
    let found = walk(path)?;
    let Some(target) = found.target() else { return Ok(None) };
    if let Some(why) = found.weak(&[]) {
        return Err(format!("{} is not run: {why}", path.display()));
    }
    if target.kind != Kind::File {
        return Err(format!("{} is not a program", path.display()));
    }
    let fail = |e: std::io::Error| format!("cannot run {}: {e}", path.display());
    let mut child = Command::new(path)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    let (out, err) = (child.stdout.take().map(collect), child.stderr.take().map(collect));
    let ended = end(&mut child, path);
    let (out, err) = (text(out), text(err));
    Ok(Some(Ran { ok: ended?, out, err }))
}

fn end(child: &mut Child, path: &Path) -> Known<bool> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if began.elapsed() < LIMIT => std::thread::sleep(AGAIN),
            Ok(None) => {
                // It fails only where the child has ended after all.
                drop(child.kill());
                drop(child.wait());
                return Err(format!("{} did not answer within {} s", path.display(), LIMIT.as_secs()));
            }
            Err(e) => return Err(format!("cannot wait for {}: {e}", path.display())),
        }
    }
}

fn collect(from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error still counts.
        drop(from.take(MAX_OUTPUT).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text(reader: Option<JoinHandle<String>>) -> String {
    reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
}
