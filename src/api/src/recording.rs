//! Recordings: asciicast v2 (<https://docs.asciinema.org/manual/asciicast/v2/>)
//! from which the exact bytes can be rebuilt.
//!
//! ```text
//! {"version":2,…,"timestamp":1795000000,"countersign":{"login":…,"host":…,"agent":…,"tty":false,"redaction":"none"}}
//! [0.000120,"m","submitted: make"]      a marker
//! [4.200000,"x","stderr"]               what follows was written to standard error
//! [4.200000,"o","caf\u00e9\r\n"]             output
//! [4.300000,"o","\ufffd"]                    output that was not UTF-8 …
//! [4.300000,"x","raw:/w=="]             … and its exact bytes, in base64 (RFC 4648 §4)
//! [5.000000,"r","120x40"]               the terminal's new size
//! ```
//! Players ignore `x`. One event is one line, written whole; times have six
//! decimals and never fall. Without a terminal each LF stands as CR LF in `o`,
//! so that it plays as it looked; the decoder undoes exactly that.

mod decode;
mod encode;
mod escape;

pub use decode::{BadRecording, Event, MAX_AT_US, MAX_LINE, Reader, Rebuilt, Recording, What, rebuild};
pub use encode::Encoder;

use countersign_core::{HostId, LoginId};
use serde::{Deserialize, Serialize};

/// Size written where there is no terminal.
const PLAIN_SIZE: (u16, u16) = (80, 24);

/// Which output of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error, where it is separate.
    Stderr,
}

impl Stream {
    /// The word in an `x` event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Our own key in the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The login that was recorded.
    pub login: LoginId,
    /// Its host.
    pub host: HostId,
    /// The agent's account name.
    pub agent: String,
    /// Whether it had a terminal; says how LF stands in `o`.
    pub tty: bool,
    /// What removed secrets before it was written; `none` where nothing did.
    pub redaction: String,
}

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    #[serde(flatten)]
    cast: asciicast::Header,
    /// Where the recording comes from.
    pub countersign: Origin,
}

impl Header {
    /// A header. `size` is columns and rows, `started_s` seconds since 1970
    /// (players refuse a file without it), `term` the terminal's kind.
    pub fn new(
        origin: Origin,
        started_s: i64,
        size: Option<(u16, u16)>,
        term: Option<&str>,
    ) -> Result<Self, serde_json::Error> {
        let (columns, rows) = size.filter(|(c, r)| *c > 0 && *r > 0).unwrap_or(PLAIN_SIZE);
        let env = term.map(|term| serde_json::json!({ "TERM": term }));
        let cast = serde_json::from_value(serde_json::json!({
            "version": 2, "width": columns, "height": rows, "timestamp": started_s, "env": env,
        }))?;
        Ok(Self { cast, countersign: origin })
    }

    /// Columns and rows at the start.
    pub fn size(&self) -> (u32, u32) {
        (self.cast.width, self.cast.height)
    }

    /// The start, seconds since 1970.
    pub fn started_s(&self) -> Option<i64> {
        self.cast.timestamp.map(|time| time.timestamp())
    }

    /// The header as a line.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(tty: bool) -> Header {
        let origin = Origin {
            login: LoginId::from_random([1; 16]),
            host: HostId::from_random([2; 16]),
            agent: "deploy".to_owned(),
            tty,
            redaction: "none".to_owned(),
        };
        Header::new(origin, 1_795_000_000, Some((100, 30)), Some("xterm")).unwrap()
    }

    fn encode(tty: bool, writes: &[(Stream, Vec<u8>)]) -> Vec<u8> {
        let mut file = header(tty).to_line().unwrap();
        let mut encoder = Encoder::new(tty);
        encoder.marker(5, "submitted: x", &mut file).unwrap();
        for (i, (stream, bytes)) in writes.iter().enumerate() {
            encoder.output(10 * i as u64, *stream, bytes, &mut file).unwrap();
        }
        encoder.flush(0, &mut file).unwrap();
        file
    }

    #[test]
    fn a_file_reads_as_documented() {
        let writes = [(Stream::Stderr, b"caf\xc3\xa9\n".to_vec()), (Stream::Stdout, b"a\xff\r\n".to_vec())];
        let file = String::from_utf8(encode(false, &writes)).unwrap();
        let lines: Vec<&str> = file.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                r#"[0.000005,"m","submitted: x"]"#,
                r#"[0.000005,"x","stderr"]"#,
                "[0.000005,\"o\",\"caf\u{e9}\\r\\n\"]",
                r#"[0.000010,"x","stdout"]"#,
                "[0.000010,\"o\",\"a\u{fffd}\\r\\r\\n\"]",
                r#"[0.000010,"x","raw:Yf8NCg=="]"#,
            ]
        );
        let read = Recording::parse(file.as_bytes()).unwrap();
        assert_eq!(read.header, header(false));
        assert_eq!((read.header.started_s(), read.header.size()), (Some(1_795_000_000), (100, 30)));
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let mut file = encode(true, &[(Stream::Stdout, b"kept".to_vec())]);
        file.extend_from_slice(b"[9.000000,\"o\",\"lo");
        let read = Recording::parse(&file).unwrap();
        assert!(read.torn);
        assert_eq!(rebuild(&file).unwrap().stdout, b"kept");
    }

    #[test]
    fn what_is_not_a_recording_is_refused() {
        let good = encode(true, &[]);
        let with = |line: &str| [good.clone(), line.as_bytes().to_vec(), b"\n".to_vec()].concat();
        for bad in [
            Vec::new(),
            b"{\"version\":3}\n".to_vec(),
            with("[0.000001,\"o\",\"time fell\"]"),
            with("[-1,\"o\",\"\"]"),
            with("[1,\"o\"]"),
            with("[1,\"x\",\"raw:\"]"),
            with("[1,\"o\",\"\"]\n[1,\"x\",\"raw:%\"]"),
            with("[1,\"r\",\"0x\"]"),
            with(&format!("[1,\"o\",\"{}\"]", "x".repeat(MAX_LINE))),
        ] {
            assert!(Recording::parse(&bad).is_err(), "{:?}", String::from_utf8_lossy(&bad[..bad.len().min(300)]));
        }
    }

    fn writes() -> impl Strategy<Value = Vec<(Stream, Vec<u8>)>> {
        let stream = prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)];
        let bytes = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "\\PC{0,40}".prop_map(String::into_bytes),
            "[\r\n\u{e9}\u{1f600}]{0,40}".prop_map(String::into_bytes),
            Just(vec![0xf0, 0x9f]),
            Just(vec![0x98, 0x80]),
        ];
        proptest::collection::vec((stream, bytes), 0..20)
    }

    proptest! {
        #[test]
        fn bytes_rebuild_exactly(writes in writes(), tty: bool) {
            let writes: Vec<_> =
                writes.into_iter().map(|(s, b)| (if tty { Stream::Stdout } else { s }, b)).collect();
            let joined = |want: Stream| -> Vec<u8> {
                writes.iter().filter(|(s, _)| *s == want).flat_map(|(_, b)| b.clone()).collect()
            };
            let rebuilt = rebuild(&encode(tty, &writes)).unwrap();
            prop_assert_eq!(rebuilt.stdout, joined(Stream::Stdout));
            prop_assert_eq!(rebuilt.stderr, joined(Stream::Stderr));
        }

        #[test]
        fn splits_do_not_change_the_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            cuts in proptest::collection::vec(1usize..50, 1..100),
        ) {
            let mut rest = bytes.as_slice();
            let mut writes = Vec::new();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                writes.push((Stream::Stdout, head.to_vec()));
                rest = tail;
            }
            writes.push((Stream::Stdout, rest.to_vec()));
            prop_assert_eq!(rebuild(&encode(false, &writes)).unwrap().stdout, bytes);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let file = [encode(true, &[]), bytes].concat();
            if let Ok(read) = Recording::parse(&file) {
                read.rebuild();
            }
        }
    }
}
