//! A reviewer at work who reads: approves what comes, but not lines with a certain word. Speaks the service's API
//! itself, because a login of many lines would otherwise wait for many starts of a program.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// Lines with this word are denied.
pub const DENIED: &str = "NEVER";
/// Lines with this word are left waiting.
pub const LEFT: &str = "LATER";

/// Decides until dropped.
pub struct Person {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Person {
    /// Begins to decide, as the one whom this `reviewer.toml` names.
    pub fn at_work(config: &Path) -> Self {
        let text = std::fs::read_to_string(config).expect("reviewer.toml");
        let service = value(&text, "service").strip_prefix("http://").expect("a service without TLS").to_owned();
        let desk = Desk { address: service.trim_end_matches('/').to_owned(), token: value(&text, "token") };
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                desk.decide_all();
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the reviewer failed");
        }
    }
}

struct Desk {
    address: String,
    token: String,
}

impl Desk {
    fn decide_all(&self) {
        let Some(Value::Array(rows)) = self.ask("GET", "/api/submissions", "") else { return };
        for row in rows {
            let (id, command) = (row["id"].as_str().expect("an id"), row["command"].as_str().expect("a command"));
            if command.contains(LEFT) {
                continue;
            }
            let decision = if command.contains(DENIED) { "deny" } else { "approve" };
            let comment = (decision == "deny").then_some("it says so");
            let review = json!({ "decision": decision, "entry": row["entry"], "comment": comment });
            // It may have been cancelled since.
            self.ask("POST", &format!("/api/submissions/{id}/decision"), &review.to_string());
        }
    }

    /// `None` where the service is not there or refuses.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok()?;
        let (_, text) = reply.split_once("\r\n\r\n")?;
        serde_json::from_str(text).ok()
    }
}

/// The text of one member of a flat TOML file.
fn value(toml: &str, name: &str) -> String {
    let line = toml.lines().find(|line| line.starts_with(&format!("{name} ="))).expect("the member");
    line.split('"').nth(1).expect("a text").to_owned()
}
