//! A spool of a front that becomes a recording, by one daemon or by two.

use countersign_api::recording::{Header, Origin, Recording, Stream};
use countersign_api::spool::{What, take};
use countersign_core::{HostId, LoginId};
use countersign_host::readers::recordings;

/// Whether there is a terminal, where it is cut, and a spool.
pub const EXAMPLES: &[&str] = &[
    "\0\0\x11\x01\0\0\x03\0\0\0\0\0\0\0\x07hi\n\x02\0\0\x01\0\0\0\0\0\0\0\x08x",
    "\x01\0\x12\x03\0\0\x04\0\0\0\0\0\0\0\0\0\x50\0\x18\x04\0\0\x02\0\0\0\0\0\0\0\x09ok",
    "\0\0\x20\x01\0\0\x05\0\0\0\0\0\0\0\x07half \x01\0\0\x04\0\0\0\0\0\0\0\x07 \u{e9}\n\x02\0\0\x03\0\0\0\0\0\0\0\x06out",
    "\0\0\x30\x01\0\0\x1a\0\0\0\0\0\0\0\x07password=hunter2hunter2\r\n$\x02\0\0\x03\0\0\0\0\0\0\0\x06err\x04\0\0\x02\0\0\0\0\0\0\0\x09ok\x01\0\0\x01\0\0\0\0\0\0\0\x0a\n",
    "\x01\0\x2d\x01\0\0\x1c\0\0\0\0\0\0\0\x07-----BEGIN PRIVATE KEY-----\n\x01\0\0\x21\0\0\0\0\0\0\0\x08MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n\x01\0\0\x1a\0\0\0\0\0\0\0\x09-----END PRIVATE KEY-----\n\0",
];

/// However it is cut, both are recordings, and of the same output; where nothing is hidden, of what the spool holds.
pub fn conversion(bytes: &[u8]) {
    let [tty, high, low, spool @ ..] = bytes else { return };
    let (tty, cut) = (tty & 1 == 1, usize::from(u16::from_be_bytes([*high, *low])));
    let [whole, resumed] = recordings(tty, spool, cut).map(|lines| rebuilt(tty, &lines));
    assert_eq!(whole, resumed, "it is cut at {cut}");
    let told = streams(spool);
    // A mark is in the place of what was hidden.
    if ![&whole.0, &whole.1].iter().any(|stream| String::from_utf8_lossy(stream).contains("\u{2039}redacted")) {
        assert_eq!(whole, told);
    }
}

/// Both streams of a recording of these lines.
fn rebuilt(tty: bool, lines: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let origin = Origin {
        login: LoginId::from_random([1; 16]),
        host: HostId::from_random([2; 16]),
        agent: "deploy".to_owned(),
        tty,
        redaction: "secrets".to_owned(),
    };
    let header = Header::new(origin, 1, None, None).and_then(|header| header.to_line()).expect("a header");
    let recording = Recording::parse(&[header.as_slice(), lines].concat()).expect("a recording").rebuild();
    (recording.stdout, recording.stderr)
}

/// Both streams of a spool, up to where it is none.
fn streams(spool: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut streams, mut rest) = ((Vec::new(), Vec::new()), spool);
    while let Some((record, length)) = Some(rest).filter(|rest| rest.first() != Some(&0)).and_then(|r| take(r).ok()?) {
        match record.what {
            What::Output(Stream::Stdout, data) => streams.0.extend_from_slice(data),
            What::Output(Stream::Stderr, data) => streams.1.extend_from_slice(data),
            What::Resize(..) | What::Marker(_) => {}
        }
        rest = &rest[length..];
    }
    streams
}
