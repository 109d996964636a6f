//! Measures verification: `verify_speed generate DIR ENTRIES`, then `verify_speed measure DIR checkpoint|strict`;
//! `verify_speed open DIR` how long a daemon takes to open such a journal.
//!
//! What is generated: logins of 200 commands, each `command_submitted` (command, directory and a small environment
//! opened beside it), `decided` with a signed statement, `exec_started`, `exec_finished`; one chunk a login; a
//! checkpoint every 1,024 entries. Measured beside it, in the same run: SHA-256 alone over the same leaves, on one
//! core; with `strict` also ring alone, for as many signatures as entries and decisions have, on all cores.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a measurement run by hand; it may stop on any fault"
)]

use countersign_core::{Choice, DecidedBy, Digest, HostId, LoginId, Nonce, Salt, ServiceId, SubmissionId, b64_encode};
use countersign_ledger::tlog::{
    Checkpoint, Frontier, NoteText, Origin, ServiceStamp, consistency_nodes, fold_nodes, inclusion_nodes,
};
use countersign_ledger::verify::{Options, Signatures, verify_with};
use countersign_ledger::{
    Committer, Header, InProcessSigner, Limits, Namespace, Openings, Sess, Signer as _, Statement, SystemClock,
    TrustFile, TrustedHost, TrustedService, Value, body, key_id, seal, sha256, verify_digest,
};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

fn signer(seed: u8) -> InProcessSigner {
    InProcessSigner::from_seed([seed; 32]).unwrap()
}

fn host() -> HostId {
    HostId::from_random([7; 16])
}

fn service() -> ServiceId {
    ServiceId::from_random([8; 16])
}

fn trust() -> TrustFile {
    let host = TrustedHost { host: host(), key: signer(1).public_key(), name: "web-1".parse().unwrap() };
    TrustFile::new(vec![host], vec![TrustedService { key: signer(2).public_key(), service: service() }]).unwrap()
}

struct Maker {
    out: BufWriter<std::fs::File>,
    host: InProcessSigner,
    service: InProcessSigner,
    seq: u64,
    prev: Digest,
    sess: Option<Sess>,
    tree: Frontier,
    log: Frontier,
    nodes: HashMap<(u32, u64), Digest>,
}

impl Maker {
    fn write(&mut self, kind: &str, members: Value, vals: &Openings) -> Digest {
        let at_us = 1_795_000_000_000_000 + i64::try_from(self.seq).unwrap() * 1000;
        let mono = 5_000_000 + self.seq * 1000;
        let sess = self.sess.filter(|_| !matches!(kind, "host_enrolled" | "host_started" | "checkpoint"));
        let boot = "0123456789abcdef0123456789abcdef";
        let header = Header { at_us, boot, host: host(), kind, mono, prev: self.prev, seq: self.seq, sess };
        let sealed = seal(&header, &members, vals, None, &mut self.host).unwrap();
        writeln!(self.out, "{}", sealed.line).unwrap();
        self.seq += 1;
        self.prev = sealed.leaf;
        self.tree.push(sealed.leaf);
        if let (Some(sess), Some(_)) = (&mut self.sess, sess) {
            (sess.n, sess.prev) = (sess.n + 1, sealed.leaf);
        }
        sealed.leaf
    }

    fn hashes(&self, lists: Vec<Vec<(u32, u64)>>) -> Vec<Digest> {
        let join = |list: Vec<(u32, u64)>| fold_nodes(&list.iter().map(|node| self.nodes[node]).collect::<Vec<_>>());
        lists.into_iter().map(|list| join(list).unwrap()).collect()
    }

    fn checkpoint(&mut self) {
        let origin = Origin::Host(host()).to_string();
        let checkpoint = Checkpoint { origin, size: self.tree.size(), root: self.tree.root() };
        let (shown, nodes) = (self.log.size(), &mut self.nodes);
        self.log.push_with(ServiceStamp::log_leaf(&checkpoint), |level, index, hash| {
            nodes.insert((level, index), hash);
        });
        let log_size = self.log.size();
        let origin = Origin::Service(service()).to_string();
        let of_log = Checkpoint { origin, size: log_size, root: self.log.root() };
        let time = 1_795_000_000 + self.seq / 1000;
        let stamp = ServiceStamp {
            size: checkpoint.size,
            root: checkpoint.root,
            note_key: key_id(&self.host.public_key()),
            note_sig: self.host.sign_note(&NoteText::checkpoint(&checkpoint).unwrap()).unwrap(),
            service: service(),
            time,
            cosig: self.service.sign_note(&NoteText::cosignature(&checkpoint, time).unwrap()).unwrap(),
            log_size,
            log_root: of_log.root,
            log_sig: self.service.sign_note(&NoteText::checkpoint(&of_log).unwrap()).unwrap(),
            log_index: log_size - 1,
            log_proof: self.hashes(inclusion_nodes(log_size - 1, log_size).unwrap()),
            log_consistency: self.hashes(consistency_nodes(shown, log_size).unwrap()),
        };
        self.write("checkpoint", stamp.to_value(), &Openings::new());
    }

    fn command(&mut self, number: u64) {
        let id = SubmissionId::from_random((u128::from(number) | 1 << 100).to_be_bytes());
        let nonce = Nonce(u128::from(number).to_be_bytes());
        let mut vals = Openings::new();
        let line = format!("systemctl status unit-{number} --no-pager");
        let cmd = vals.insert_list("cmd", vec![Some((Salt([1; 32]), line.clone().into_bytes()))]);
        let cmd: Vec<Value> = cmd.into_iter().map(|digest| digest.unwrap().into()).collect();
        let members = body([
            ("cmd", Value::List(cmd)),
            ("cmd_bytes", u64::try_from(line.len()).unwrap().into()),
            ("cwd", vals.insert("cwd", Salt([2; 32]), b"/srv/app".to_vec()).into()),
            ("env", vals.insert("env", Salt([3; 32]), b"HOME=/home/deploy\nPATH=/usr/bin:/bin".to_vec()).into()),
            ("id", id.into()),
            ("nonce", nonce.into()),
            ("shell", "bash".into()),
            ("wait_ms", 60_000u64.into()),
        ]);
        let entry = self.write("command_submitted", members, &vals);
        let by: DecidedBy = "ops-lead".parse().unwrap();
        let statement = Statement {
            by: by.clone(),
            decision: Choice::Approve,
            entry,
            exp_ms: 60_000,
            host: host(),
            key: key_id(&self.service.public_key()),
            nonce,
            policy: Digest([5; 32]),
        };
        let (_, sig) = statement.sign(&mut self.service).unwrap();
        let members = body([
            ("by", by.to_string().into()),
            ("id", id.into()),
            ("latency_ms", 12u64.into()),
            ("of", entry.into()),
            ("outcome", "approved".into()),
            ("sig", sig.into()),
            ("statement", statement.to_value()),
        ]);
        let of = self.write("decided", members, &Openings::new());
        let of = self.write("exec_started", body([("id", id.into()), ("of", of.into())]), &Openings::new());
        let members = body([
            ("code", 0u64.into()),
            ("end", "exited".into()),
            ("id", id.into()),
            ("of", of.into()),
            ("stderr_bytes", 0u64.into()),
            ("stdout_bytes", 3u64.into()),
        ]);
        self.write("exec_finished", members, &Openings::new());
    }
}

fn generate(dir: &Path, entries: u64) {
    std::fs::create_dir_all(dir.join("journal")).unwrap();
    std::fs::create_dir_all(dir.join("recordings")).unwrap();
    let out = std::fs::File::create(dir.join("journal/0000000000000000.jsonl")).unwrap();
    let mut maker = Maker {
        out: BufWriter::new(out),
        host: signer(1),
        service: signer(2),
        seq: 0,
        prev: Digest::ZERO,
        sess: None,
        tree: Frontier::default(),
        log: Frontier::default(),
        nodes: HashMap::new(),
    };
    let own = || ("signer", Value::from("own_uid"));
    let software = || ("software", Value::from("generated"));
    let enrolled = body([
        ("key", signer(1).public_key().into()),
        ("name", "web-1".into()),
        ("service", service().into()),
        ("service_key", signer(2).public_key().into()),
        own(),
        software(),
    ]);
    maker.write("host_enrolled", enrolled, &Openings::new());
    maker.write("host_started", body([own(), software()]), &Openings::new());
    let (mut command, mut login) = (0u64, 0u64);
    while maker.seq + 900 < entries {
        login += 1;
        let id = LoginId::from_random((u128::from(login) | 1 << 90).to_be_bytes());
        maker.sess = Some(Sess { id, n: 0, prev: Digest::ZERO });
        let mut vals = Openings::new();
        let agent = vals.insert("agent", Salt([4; 32]), b"deploy-agent".to_vec());
        let opened =
            body([("agent", agent.into()), ("kind", "exec".into()), ("tty", false.into()), ("uid", 1001u64.into())]);
        maker.write("session_opened", opened, &vals);
        for _ in 0..200 {
            command += 1;
            maker.command(command);
            if maker.seq % 1024 < 4 {
                maker.checkpoint();
            }
        }
        let recording = b"recorded\n".repeat(100);
        std::fs::write(dir.join(format!("recordings/{id}.cast")), &recording).unwrap();
        let chunk = body([
            ("digest", sha256(&recording).into()),
            ("index", 0u64.into()),
            ("length", 900u64.into()),
            ("offset", 0u64.into()),
            ("raw_bytes", 900u64.into()),
        ]);
        maker.write("recording_chunk", chunk, &Openings::new());
        let closed = body([("recording_bytes", 900u64.into()), ("why", "exit".into())]);
        maker.write("session_closed", closed, &Openings::new());
    }
    maker.checkpoint();
    maker.out.flush().unwrap();
    println!("{} entries, {login} logins, {command} commands", maker.seq);
}

/// SHA-256 of every leaf, its bytes already in memory: no verifier can be faster.
fn floor(dir: &Path) -> f64 {
    let file = std::fs::File::open(dir.join("journal/0000000000000000.jsonl")).unwrap();
    let (mut lines, mut seconds) = (BufReader::with_capacity(1 << 20, file), 0.0);
    let (mut buffer, mut batch) = (Vec::new(), Vec::new());
    loop {
        buffer.clear();
        let end = lines.read_until(b'\n', &mut buffer).unwrap() == 0;
        if !end {
            let vals = buffer.windows(9).position(|window| window == b"\",\"vals\":").unwrap();
            batch.push(buffer[..=vals].to_vec());
        }
        if end || batch.len() == 10_000 {
            let started = Instant::now();
            batch.iter().for_each(|leaf| drop(std::hint::black_box(sha256(leaf).0.to_vec())));
            seconds += started.elapsed().as_secs_f64();
            batch.clear();
        }
        if end {
            return seconds;
        }
    }
}

/// Seconds that ring alone takes for so many signatures on all cores, from a sample.
fn ring_alone(signatures: u64) -> f64 {
    const SAMPLE: u32 = 20_000;
    let mut signer = signer(1);
    let key = signer.public_key();
    let signed: Vec<([u8; 32], String)> = (0..64u8)
        .map(|number| ([number; 32], b64_encode(&signer.sign(Namespace::Entry, [number; 32]).unwrap())))
        .collect();
    let cores = std::thread::available_parallelism().unwrap().get();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                for (digest, sig) in signed.iter().cycle().take(SAMPLE as usize) {
                    verify_digest(Namespace::Entry, &key, *digest, sig).unwrap();
                }
            });
        }
    });
    let each = started.elapsed().as_secs_f64() / (f64::from(SAMPLE) * cores as f64);
    each * signatures as f64
}

/// CPU seconds of all threads so far, the kernel's work for them included.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after) = stat.rsplit_once(')').unwrap();
    let ticks: u32 = after.split_whitespace().skip(11).take(2).map(|word| word.parse::<u32>().unwrap()).sum();
    f64::from(ticks) / 100.0
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds that a host's daemon takes to open such a journal: every line is read.
fn open(dir: &Path) -> f64 {
    let started = Instant::now();
    let clock = Box::new(SystemClock::new().unwrap());
    let opened = Committer::open(&dir.join("journal"), host(), Box::new(signer(1)), clock, Limits::default()).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert!(opened.1.next_seq > 0 && opened.1.torn.is_none());
    seconds
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate", dir, entries] => generate(Path::new(dir), entries.parse().unwrap()),
        ["open", dir] => {
            let (seconds, used, peak) = (open(Path::new(dir)), cpu(), peak_kib());
            let floor = floor(Path::new(dir));
            println!("opened: {seconds:.2} s, {used:.2} CPU s, peak {peak} KiB; SHA-256 alone {floor:.2} s");
        }
        ["measure", dir, mode] => {
            let options = Options { signatures: mode.parse::<Signatures>().unwrap(), ..Options::default() };
            let started = Instant::now();
            let report = verify_with(Path::new(dir), Some(&trust()), &options, &mut |_| {});
            let seconds = started.elapsed().as_secs_f64();
            let (peak, used) = (peak_kib(), cpu());
            assert_eq!(report.exit_code, 0, "{}", report.text());
            let floor = floor(Path::new(dir));
            let counts = &report.counts;
            let ring = match options.signatures {
                Signatures::Strict => {
                    format!("; ring alone {:.2} s", ring_alone(counts.entries + counts.commands))
                }
                Signatures::Checkpoint => String::new(),
            };
            println!(
                "{} entries, {mode}: {seconds:.2} s, {used:.2} CPU s, peak {peak} KiB; SHA-256 alone {floor:.2} s{ring}",
                counts.entries
            );
        }
        _ => println!("verify_speed generate DIR ENTRIES | measure DIR checkpoint|strict | open DIR"),
    }
}
