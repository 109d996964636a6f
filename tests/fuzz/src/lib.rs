//! What every reader of foreign bytes promises, as functions that panic where
//! it breaks its promise.
//!
//! `cargo fuzz` runs them for as long as it is let (`tests/long.sh`); the
//! integration tests run the same functions on some thousands of inputs. A
//! target is listed in [`TARGETS`] with examples of what its reader takes, and
//! has a file of its name in `fuzz_targets/`.

use countersign_analysis::redact;
use countersign_analysis::{Nested, facts, hold};
use countersign_api::frame::{Decoder, encode};
use countersign_api::front::{FrontMessage, HostMessage};
use countersign_api::recording::Recording;
use countersign_api::spool::{HEAD, MAX_DATA, What, take};
use countersign_cli::replay::Sanitiser;
use countersign_core::{CommandText, DecidedBy, MAX_COMMAND_BYTES, Name, SubmissionId, parse_utc_micros, visible};
use countersign_ledger::tlog::{Checkpoint, Note};
use countersign_ledger::{Authority, Entry, Gaps, KnownHead, SshSignature, Statement, TrustFile, cut_openings};
use countersign_policy::{Document, Pattern};
use countersign_shell::readers;

pub mod agent;
pub mod bundle;
pub mod conversion;
pub mod ledger;

/// One reader.
pub struct Target {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// Reads these bytes; panics where a promise is broken.
    pub run: fn(&[u8]),
    /// What it should take, to begin with.
    pub examples: &'static [&'static str],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "editor", run: editor, examples: EDITOR },
    Target { name: "completeness", run: completeness, examples: LINES },
    Target { name: "driver", run: driver, examples: DRIVER },
    Target { name: "script", run: script, examples: SCRIPTS },
    Target {
        name: "unserved",
        run: unserved,
        examples: &["\0\0\0\x05\x01\0\0\0\x03", "\0\0\0\x05\x01\0\0\0\x03\0\0\0\x09\x10\0\0\0\x01\0\0\0\0"],
    },
    Target { name: "history", run: history, examples: &["ls -l\ncat <<E\\nx\\nE\n", "a\\\\b\n"] },
    Target { name: "front_messages", run: front_messages, examples: FRONT },
    Target { name: "host_messages", run: host_messages, examples: HOST },
    Target { name: "recording", run: recording, examples: RECORDING },
    Target { name: "spool", run: spool, examples: SPOOL },
    Target { name: "transfer", run: agent::transfer, examples: agent::TRANSFERS },
    Target { name: "transfer_log", run: agent::transfer_log, examples: agent::TRANSFER_LOGS },
    Target { name: "errand", run: agent::errand, examples: agent::ANSWERS },
    Target { name: "branch", run: agent::branch, examples: agent::HEADS },
    Target { name: "mark", run: agent::mark, examples: agent::MARKED },
    Target { name: "conversion", run: conversion::conversion, examples: conversion::EXAMPLES },
    Target { name: "replayed_output", run: replayed_output, examples: OUTPUT },
    Target { name: "words", run: words, examples: &["whitelist_rule:17", "ops-lead", "2026-11-20T12:34:56.123456Z"] },
    Target { name: "command_text", run: command_text, examples: LINES },
    Target { name: "entry", run: entry, examples: ENTRIES },
    Target { name: "proof", run: proof, examples: PROOFS },
    Target { name: "bundle", run: bundle::bundle, examples: bundle::EXAMPLES },
    Target { name: "signer", run: ledger::signer, examples: ledger::REQUESTS },
    Target { name: "signer_answers", run: ledger::signer_answers, examples: ledger::ANSWERS },
    Target { name: "ssh_key", run: ledger::ssh_key, examples: ledger::KEYS },
    Target { name: "journal", run: ledger::journal, examples: ledger::JOURNALS },
    Target { name: "body", run: ledger::body, examples: ledger::BODIES },
    Target { name: "policy_text", run: ledger::policy_text, examples: ledger::POLICIES },
    Target { name: "service_messages", run: ledger::service_messages, examples: ledger::MESSAGES },
    Target { name: "statement", run: statement, examples: STATEMENTS },
    Target { name: "trust_file", run: trust_file, examples: TRUST },
    Target { name: "command_line", run: command_line, examples: LINES },
    Target { name: "held_command", run: held_command, examples: SECRETS },
    Target { name: "recorded_output", run: recorded_output, examples: SECRETS },
    Target { name: "rules_document", run: rules_document, examples: RULES },
    Target { name: "authority", run: authority, examples: AUTHORITY },
    Target { name: "note", run: note, examples: NOTES },
    Target { name: "configuration", run: configuration, examples: CONFIGURATION },
    Target { name: "claims", run: claims, examples: CLAIMS },
    Target { name: "credential", run: credential, examples: CREDENTIALS },
    Target { name: "registration", run: registration, examples: REGISTRATIONS },
];

const PROOFS: &[&str] = &[
    include_str!("../../golden/ledger/part/journal/proof.json"),
    include_str!("../../golden/ledger/pruned/journal/proof.json"),
    include_str!("../../golden/ledger/part/head.json"),
];

const LINES: &[&str] = &[
    "ls -l /srv",
    "cat <<EOF\nhello $((1+2))\nEOF",
    "for i in 1 2 3; do echo \"$i\"; done | sort -r",
    "case $x in a|b) echo ${y:-`id`};; esac && [[ -f /etc/passwd ]]",
    "f() { local a='b c'; echo \"$(date +%s)\" >&2; }; f",
];
const EDITOR: &[&str] = &[
    "ls -l\r",
    "abc\x1b[D\x1b[D\x7f\x01x\x05y\x15\x19\r",
    "\x1b[200~rm -rf /tmp/x\necho b\x1b[201~\r",
    "cat <<E\rtext\rE\r",
    "\x12ls\r\x1b[A\x1b[B\t\x04",
    "h\u{e4}\u{6f22}\u{5b57}\u{1f469}\u{200d}\u{1f52c}\x17\r",
];
/// Of an interactive login, and of a script: the second tells the same and has no prompt.
const DRIVER: &[&str] = &[
    "R0\tagent@host:~$ \0",
    "Aw0rd\0R130\t$ \0",
    "P/usr/bin\0Lalias ls='id'\n\0Fdeclare -f ls\ndeclare -fr __cs_stop\n\0Hbuiltin hash -p /usr/bin/id id\n\0Vdeclare -x HOME=\"/h\"\n\0R0\t\0A\0",
    "P/bin\0L\0F\0H\0Vdeclare -x A=\"1\"\n\0R0\t\0A\0P/bin\0L\0F\0H\0Vdeclare -x A=\"2\"\n\0R2\t\0",
];
const SCRIPTS: &[&str] = &[
    "#!/bin/bash\n\nuptime\nif a; then\n  b\nfi\ncat <<E\nx\nE\necho 'two\nlines'\na \\\n  b\nc",
    "for i in 1 2; do\n  read -r x\ndone\ndata\n",
];
const CLAIMS: &[&str] = &[
    r#"{"task":"deploy","alternatives":["wait","ask"],"tokens":1200,"cost":0.5,"tool":{"name":"bash"}}"#,
    r#"{"trigger":"cron","approved":"yes","analysis":"export AWS_SECRET_ACCESS_KEY=abcdefghijklmnopqrstuvwxyz0123456789ABCD"}"#,
];
const CREDENTIALS: &[&str] = &[
    "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n",
    "publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAAW4AAAAgAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAAAAAAAAKgAAAAEAAAAFYWxpY2UAAAAHAAAAA29wcwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAAAA==\n",
    "keyboard-interactive\npublickey ecdsa-sha2-nistp256 AAAA\npassword\n",
];
const REGISTRATIONS: &[&str] = &[
    r#"{"t":"open","session":7,"account":"deploy","source":"192.0.2.7","auth_info":"publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"}"#,
    r#"{"t":"close","session":7}"#,
];
const SPOOL: &[&str] = &[
    "\x01\0\0\x03\0\0\0\0\0\0\0\x07hi\n\x02\0\0\x01\0\0\0\0\0\0\0\x08x",
    "\x03\0\0\x04\0\0\0\0\0\0\0\0\0\x50\0\x18\x04\0\0\x02\0\0\0\0\0\0\0\x09ok",
];
const FRONT: &[&str] = &[
    r#"{"t":"cancel","nonce":"AAAAAAAAAAAAAAAAAAAAAA","why":"hangup"}"#,
    r#"{"t":"close","why":"exit","refused":null,"recording_bytes":12}"#,
];
const HOST: &[&str] = &[
    r#"{"t":"kept"}"#,
    r#"{"t":"fatal","reason":"the ledger cannot be written","exit":69}"#,
    r#"{"t":"pending","id":"01arz3ndektsv4rrffq69g5fav","nonce":"AAAAAAAAAAAAAAAAAAAAAA","asked":["ops-lead"],"deadline_us":12}"#,
];
const RECORDING: &[&str] = &[
    "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1700000000}\n[0.000001,\"o\",\"hi\\r\\n\"]\n[0.5,\"m\",\"finished\"]\n[1.0,\"r\",\"100x30\"]\n",
];
const OUTPUT: &[&str] = &[
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[?1049h\x1b[2J\x1b[10;20Hx",
    "\x1bP+q544e\x1b\\ \x1b[6n \x1b]52;c;aGk=\x07",
];
const ENTRIES: &[&str] = &[include_str!("../../golden/ledger/day.jsonl")];
const TRUST: &[&str] = &[include_str!("../../golden/ledger/trust.json")];
const STATEMENTS: &[&str] = &[
    r#"{"by":"ops-lead","decision":"approve","entry":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","exp_ms":60000,"fmt":"cs-decision1","host":"01arz3ndektsv4rrffq69g5fav","key":"0011223344556677","nonce":"AAAAAAAAAAAAAAAAAAAAAA","policy":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
];
const CONFIGURATION: &[&str] = &[
    "socket = \"/run/countersign/hostd.sock\"\npath = \"/usr/bin:/bin\"\n[agents.a]\ninner_shell = \"zsh\"\n",
    "state_dir = \"/var/lib/countersign/host\"\nsocket = \"/run/x\"\nfront_user = \"root\"\nwait_ms = 60000\n",
    "service = \"https://127.0.0.1:8443\"\ntoken = \"csr1.AAAA\"\nname = \"ops-lead\"\n",
];

const SECRETS: &[&str] = &[
    "mysql -u root -pS3cretPass99 -h db shop",
    "curl -u admin:hunter2Xy -H 'Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl' https://x.example",
    "export AWS_SECRET_ACCESS_KEY=abcdefghijklmnopqrstuvwxyz0123456789ABCD; mysql -p\"$(id)\"",
    "git clone https://bob:ghp_0123456789abcdefghijklmnopqrstuvwxyz@github.com/x/y",
    "cat <<E > key\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\nE",
];
const RULES: &[&str] = &[
    "fmt = \"cs-rules1\"\n[[rule]]\npatterns = [\"docker pull ghcr.io/myorg/api:*\", \"ls **\"]\nmatch = [\"docker pull ghcr.io/myorg/api:1\"]\n",
];
const AUTHORITY: &[&str] = &[
    "fmt = \"cs-authority1\"\nversion = 3\npeople = 1\n[[reviewer]]\nname = \"ann\"\nkeys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann\"]\n",
    "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgAAECAwQFBgcICQoLDA0ODxAREh\n-----END SSH SIGNATURE-----\n",
];
const NOTES: &[&str] = &[
    "countersign/host/x\n42\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} example.com/key AAAAAAAAAAAAAAAA\n",
];

/// No key sequence makes text that a reviewer could not see, or that is too long.
pub fn editor(bytes: &[u8]) {
    let (settings, typed) = bytes.split_at(bytes.len().min(2));
    let term = ["xterm", "dumb", "tmux-256color"][usize::from(settings.first().copied().unwrap_or(0)) % 3];
    let cut = usize::from(settings.last().copied().unwrap_or(0));
    let (submitted, drawn) = readers::type_at_a_prompt(typed, cut, term);
    for text in &submitted {
        assert!(text.len() <= MAX_COMMAND_BYTES, "too long");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "controls in {text:?}");
    }
    // A line is drawn anew for what is typed, never without end.
    assert!(drawn <= 64 * 1024 + typed.len().saturating_mul(typed.len() + 4096), "drew {drawn} bytes");
}

/// Answers, in time linear in the text.
pub fn completeness(bytes: &[u8]) {
    readers::is_unfinished(&String::from_utf8_lossy(bytes));
}

/// Takes no message of which a part is missing, and hears the same however it is cut.
pub fn driver(bytes: &[u8]) {
    let heard = readers::hear_driver(bytes, bytes.len());
    assert!(heard.iter().flatten().count() <= bytes.iter().filter(|byte| **byte == 0).count());
    assert_eq!(readers::hear_driver(bytes, 1 + bytes.len() % 7), heard);
}

/// However it is cut, the same commands come out of it, whole and in order.
pub fn script(bytes: &[u8]) {
    // A command over the limit goes nowhere, and is cut where reading was.
    if bytes.len() > MAX_COMMAND_BYTES {
        return;
    }
    let commands = readers::script_commands(bytes, bytes.len());
    assert_eq!(readers::script_commands(bytes, 1 + bytes.len() % 7), commands);
    let mut rest = bytes;
    for command in &commands {
        let at = rest.windows(command.len()).position(|piece| piece == command).expect("what came");
        rest = &rest[at + command.len()..];
    }
}

/// However it is cut, a client that is not served is answered the same, and at most three times.
pub fn unserved(bytes: &[u8]) {
    let answered = readers::unserved(bytes, bytes.len());
    assert_eq!(readers::unserved(bytes, 1 + bytes.len() % 7), answered);
    let (mut rest, mut packets) = (answered.0.as_slice(), 0);
    while let Some((length, more)) = rest.split_first_chunk::<4>() {
        rest = &more[u32::from_be_bytes(*length) as usize..];
        packets += 1;
    }
    assert!(rest.is_empty() && packets <= 3);
}

/// What was read once is read again the same.
pub fn history(bytes: &[u8]) {
    let once = readers::history(&String::from_utf8_lossy(bytes));
    assert_eq!(readers::history(&once), once);
}

/// What is taken says the same when it is written again.
pub fn front_messages(bytes: &[u8]) {
    again::<FrontMessage>(bytes);
}

/// What is taken says the same when it is written again.
pub fn host_messages(bytes: &[u8]) {
    again::<HostMessage>(bytes);
}

fn again<T: Message>(bytes: &[u8]) {
    // As it comes, and as the text of one frame: the length is hard to guess.
    let mut framed = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    for stream in [bytes, &framed] {
        let mut decoder = Decoder::default();
        decoder.push(stream);
        while let Ok(Some(message)) = decoder.next_message::<T>() {
            let mut second = Decoder::default();
            second.push(&encode(&message).expect("what was read can be written"));
            assert_eq!(second.next_message::<T>().expect("what was written can be read"), Some(message));
        }
    }
}

/// What a message of a protocol is.
trait Message: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug {}
impl<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug> Message for T {}

/// A recording that is taken can be rebuilt.
pub fn recording(bytes: &[u8]) {
    if let Ok(recording) = Recording::parse(bytes) {
        recording.rebuild();
    }
}

/// Every record is within the bytes and within its limits, and its data is
/// what stands there.
pub fn spool(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok(Some((record, length))) = take(rest) {
        assert!(length > HEAD && length <= HEAD + MAX_DATA);
        let data = &rest[HEAD..length];
        match record.what {
            What::Output(_, output) => assert_eq!(output, data),
            What::Marker(label) => assert_eq!(label.as_bytes(), data),
            What::Resize(columns, rows) => {
                assert_eq!([columns.to_be_bytes(), rows.to_be_bytes()].concat(), data);
            }
        }
        rest = &rest[length..];
    }
}

/// However it is cut, the same is let through, and nothing of it is a string sequence.
pub fn replayed_output(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let whole = Sanitiser::default().clean(&text);
    let mut pieces = Sanitiser::default();
    let cut: String = text.chars().map(|c| pieces.clean(c.encode_utf8(&mut [0; 4]))).collect();
    assert_eq!(whole, cut);
    for strings in ["\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\u{9d}", "\u{90}"] {
        assert!(!whole.contains(strings), "{strings:?} in {whole:?}");
    }
    assert_eq!(Sanitiser::default().clean(&whole), whole, "what is harmless stays");
}

/// What is taken is written in one spelling.
pub fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(by) = text.parse::<DecidedBy>() {
        assert_eq!(by.to_string(), text);
    }
    if let Ok(id) = text.parse::<SubmissionId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.to_string(), text);
    }
    parse_utc_micros(&text);
}

/// Text that may be shown holds no control, and shows on one line.
pub fn command_text(bytes: &[u8]) {
    if let Ok(text) = CommandText::parse(bytes) {
        assert!(!text.as_str().chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    }
    let shown = visible(&String::from_utf8_lossy(bytes));
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

/// An entry that is taken is one line of the grammar, and its openings fit or are refused.
pub fn entry(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(entry) = Entry::parse(line) {
            assert!(line.iter().all(|byte| (0x20..=0x7e).contains(byte)));
            entry.openings().ok();
            let text = std::str::from_utf8(line).expect("ASCII");
            if let Ok(cut) = cut_openings(text, &["cwd".to_owned(), "cmd/0".to_owned()]) {
                assert_eq!(Entry::parse(cut.as_bytes()).expect("a line without openings").leaf, entry.leaf);
            }
        }
    }
}

/// What stands for entries that are left out is the same when it is written again.
pub fn proof(bytes: &[u8]) {
    if let Ok(gaps) = Gaps::parse(bytes) {
        let text = gaps.encode().expect("what was read can be written");
        assert_eq!(Gaps::parse(text.as_bytes()).expect("and read"), gaps);
        if let Some((from, to)) = gaps.span() {
            assert!(from < to);
            assert_eq!(gaps.bridge(from, to.saturating_add(1)), None);
        }
    }
    KnownHead::parse(bytes).ok();
}

/// A statement that is taken is written in one spelling.
pub fn statement(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(statement) = Statement::parse(&text) {
        assert_eq!(statement.encode().expect("what was read can be written"), text);
    }
}

/// A trust file that is taken is the same when it is written again.
pub fn trust_file(bytes: &[u8]) {
    if let Ok(trust) = TrustFile::parse(bytes) {
        let json = trust.to_json().expect("what was read can be written");
        assert_eq!(TrustFile::parse(json.as_bytes()).expect("and read").to_json().expect("and written"), json);
    }
}

/// Answers.
pub fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    readers::is_configuration(&text);
    countersign_host::readers::is_configuration(&text);
}

/// Nothing but what is known is kept, and what is left out is said.
pub fn claims(bytes: &[u8]) {
    const KNOWN: &str =
        " task trigger analysis alternatives scope change_ref tool parameters model tokens cost session ";
    let text = String::from_utf8_lossy(bytes);
    let (kept, wrong) = countersign_host::readers::claims(&text, "own");
    for (name, _) in &kept {
        assert!(KNOWN.contains(&format!(" {name} ")), "{name:?}");
    }
    match wrong {
        Some("too_long") => assert!(kept.is_empty()),
        Some("not_json") => assert_eq!(kept, [("task".to_owned(), "own".to_owned())]),
        Some(word) => assert_eq!(word, "unknown_member"),
        None => assert!(kept.iter().any(|(name, value)| name == "task" && value == "own")),
    }
}

/// What is kept of a credential is short and shows on one line.
pub fn credential(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for kept in countersign_host::readers::credential(&text, &text).into_iter().flatten() {
        assert!(kept.len() <= 256 && !kept.chars().any(char::is_control), "{kept:?}");
    }
}

/// One message makes at most one session known.
pub fn registration(bytes: &[u8]) {
    let mut framed = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    assert!(countersign_host::readers::registrations(&framed) <= 1);
    assert!(countersign_host::readers::registrations(bytes) <= bytes.len() / 4);
}

/// A line is read in bounded time, and every span of what is said about it is inside it.
pub fn command_line(bytes: &[u8]) {
    let line = String::from_utf8_lossy(bytes);
    for shell in [facts::Shell::Bash, facts::Shell::Posix, facts::Shell::Other] {
        let place = facts::Place { cwd: Some("/srv"), home: Some("/home/x"), shell };
        let said = countersign_analysis::analyze(&line, &place, &[]);
        assert!(said.risk.score <= 100);
    }
}

/// However it is cut, the segments are the exact bytes, and text with an expansion is never hidden.
pub fn held_command(bytes: &[u8]) {
    for shell in ["bash", "fish"] {
        let place = countersign_analysis::Place { shell, terminal: false, nested: Nested::Ask };
        let held = hold(bytes, bytes.len() as u64, place);
        let whole: Vec<u8> = held.segments.iter().flat_map(|segment| segment.bytes.clone()).collect();
        assert_eq!(whole, bytes);
    }
    let line = String::from_utf8_lossy(bytes);
    let mut last = 0;
    for found in redact::find(&line).into_iter().filter(redact::Finding::is_cut) {
        assert!(found.start >= last && found.end <= line.len() && found.start < found.end, "{found:?}");
        last = found.end;
        let text = line.get(found.start..found.end).expect("whole characters");
        let runs = ["$(", "`", "<("].iter().any(|begin| text.contains(begin));
        // Inside single quotes these are only characters; whoever hides them must know that.
        assert!(!(found.literal && runs) || line.contains('\''), "{found:?} hides {text:?}");
    }
}

/// However output is cut, the same is recorded.
pub fn recorded_output(bytes: &[u8]) {
    let whole = {
        let mut stream = redact::Stream::default();
        let mut out = stream.push(bytes).into_owned();
        out.extend(stream.finish());
        out
    };
    let mut stream = redact::Stream::default();
    let mut out = Vec::new();
    for piece in bytes.chunks(1 + bytes.len() % 7) {
        out.extend_from_slice(&stream.push(piece));
    }
    out.extend(stream.finish());
    assert_eq!(out, whole);
}

/// A document that is taken is the same when it is written again, and its patterns can be asked.
pub fn rules_document(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(document) = Document::parse(&text) {
        let again = document.to_toml().expect("what was read can be written");
        assert_eq!(Document::parse(&again).expect("and read"), document);
    }
    Pattern::parse(&text).ok();
}

/// Nothing that was not signed counts, and nothing panics.
pub fn authority(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(authority) = Authority::parse(&text) {
        assert!(authority.people >= 1 && authority.people <= authority.names().count());
    }
    if let Ok(signature) = SshSignature::from_armor(&text) {
        assert!(signature.verify("decision.v1@countersign", b"what nobody has signed").is_err());
    }
    SshSignature::from_blob(bytes).ok();
}

/// A note that is taken is written in one spelling.
pub fn note(bytes: &[u8]) {
    Note::parse(bytes).ok();
    Checkpoint::parse(&String::from_utf8_lossy(bytes)).ok();
}
