//! However a spool is cut, and wherever a new converter goes on, the same
//! bytes stand in the recording.

use super::*;
use countersign_api::recording::{Header, Origin, Recording, rebuild};
use countersign_core::{HostId, LoginId};

fn header() -> Vec<u8> {
    let origin = Origin {
        login: LoginId::from_random([1; 16]),
        host: HostId::from_random([2; 16]),
        agent: "deploy".into(),
        tty: false,
        redaction: "none".into(),
    };
    Header::new(origin, 1, None, None).unwrap().to_line().unwrap()
}

fn converter(redaction: Box<dyn Redaction>, place: SpoolPlace) -> Converter {
    Converter::new(false, redaction, place)
}

fn plain() -> Box<dyn Redaction> {
    super::super::redaction::for_recordings()
}

/// A redaction that holds every unfinished line back.
#[derive(Default)]
struct WholeLines([Vec<u8>; 2]);

impl WholeLines {
    fn slot(&mut self, stream: Stream) -> &mut Vec<u8> {
        &mut self.0[usize::from(stream == Stream::Stderr)]
    }
}

impl Redaction for WholeLines {
    fn name(&self) -> &'static str {
        "lines"
    }
    fn push<'a>(&mut self, stream: Stream, bytes: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let slot = self.slot(stream);
        slot.extend_from_slice(bytes);
        let end = slot.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = slot.split_off(end);
        std::borrow::Cow::Owned(std::mem::replace(slot, rest))
    }
    fn held(&self, stream: Stream) -> usize {
        self.0[usize::from(stream == Stream::Stderr)].len()
    }
    fn finish(&mut self, stream: Stream) -> Vec<u8> {
        std::mem::take(self.slot(stream))
    }
    fn marker<'a>(&self, label: &'a str) -> std::borrow::Cow<'a, str> {
        label.replace("secret", "***").into()
    }
}

fn output(at_us: u64, stream: Stream, data: &[u8]) -> Vec<u8> {
    [spool::output_head(at_us, stream, data.len()).unwrap().as_slice(), data].concat()
}

/// Both streams, cut within characters and lines, markers and a new size.
fn a_spool() -> Vec<u8> {
    let mut bytes = spool::marker(1, "submitted: x secret").unwrap();
    for at_us in 0..40u64 {
        bytes.extend(output(10 + at_us * 10, Stream::Stdout, &"caf\u{e9} \u{1f600}\n".as_bytes()[..5]));
        bytes.extend(output(11 + at_us * 10, Stream::Stdout, &"caf\u{e9} \u{1f600}\n".as_bytes()[5..9]));
        if at_us % 3 == 0 {
            bytes.extend(output(12 + at_us * 10, Stream::Stderr, b"half \xc3"));
        }
        bytes.extend(output(13 + at_us * 10, Stream::Stdout, &"caf\u{e9} \u{1f600}\n".as_bytes()[9..]));
        if at_us % 3 == 1 {
            bytes.extend(output(14 + at_us * 10, Stream::Stderr, b"\xa9 whole \xff\n"));
        }
        if at_us == 20 {
            bytes.extend(spool::resize(15 + at_us * 10, 90, 20).unwrap());
        }
    }
    bytes.extend(spool::marker(2_000, "finished: exit 0").unwrap());
    bytes.extend(output(2_001, Stream::Stdout, b"$ \xf0\x9f"));
    bytes
}

fn streams(spool: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut out, mut err, mut rest) = (Vec::new(), Vec::new(), spool);
    while let Some((record, length)) = spool::take(rest).unwrap() {
        match record.what {
            What::Output(Stream::Stdout, data) => out.extend_from_slice(data),
            What::Output(Stream::Stderr, data) => err.extend_from_slice(data),
            What::Resize(..) | What::Marker(_) => {}
        }
        rest = &rest[length..];
    }
    (out, err)
}

#[test]
fn a_converter_that_goes_on_anywhere_gives_the_same_bytes() {
    let spool = a_spool();
    let (out, err) = streams(&spool);
    let kinds: [fn() -> Box<dyn Redaction>; 2] = [plain, || Box::<WholeLines>::default()];
    for redaction in kinds {
        for cut in 0..=spool.len() {
            // A daemon that keeps what it has at `cut` and is killed; the next one goes on from the ledger.
            let mut first = converter(redaction(), SpoolPlace::default());
            first.begin(&header());
            let used = first.feed(&spool[..cut]).unwrap();
            assert!(used <= cut);
            let piece = first.piece();
            let (mut file, place, mut raw) = (piece.lines.to_vec(), piece.place, piece.raw);
            let from = usize::try_from(place.bytes).unwrap();
            let mut second = converter(redaction(), place);
            assert_eq!(second.feed(&spool[from..]).unwrap(), spool.len() - from);
            second.let_go().unwrap();
            file.extend_from_slice(second.piece().lines);
            raw += second.piece().raw;
            assert_eq!(second.piece().place.bytes, spool.len() as u64);
            let rebuilt = rebuild(&file).unwrap_or_else(|why| panic!("cut at {cut}: {why}"));
            assert!(rebuilt.stdout == out && rebuilt.stderr == err, "cut at {cut}");
            assert_eq!(raw, (out.len() + err.len()) as u64, "cut at {cut}");
            assert_eq!(String::from_utf8_lossy(&file).matches("\"r\"").count(), 1, "cut at {cut}");
            assert_eq!(String::from_utf8_lossy(&file).matches("\"m\"").count(), 2, "cut at {cut}");
        }
    }
}

#[test]
fn pieces_do_not_change_the_lines() {
    let spool = a_spool();
    let whole = |step: usize| {
        let (mut from, mut file) = (0, Vec::new());
        let mut converter = converter(Box::<WholeLines>::default(), SpoolPlace::default());
        for end in (0..spool.len()).step_by(step).chain([spool.len()]) {
            from += converter.feed(&spool[from..end]).unwrap();
            file.extend_from_slice(converter.piece().lines);
            converter.kept();
        }
        converter.let_go().unwrap();
        file.extend_from_slice(converter.piece().lines);
        file
    };
    let all = whole(spool.len());
    for step in [1, 7, 13, 100] {
        assert!(whole(step) == all, "pieces of {step}");
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.contains("submitted: x ***") && !text.contains("secret"), "a marker passes the redaction");
}

#[test]
fn what_is_held_is_bounded() {
    let mut converter = converter(Box::<WholeLines>::default(), SpoolPlace::default());
    // Standard error never ends its line, so nothing after it could be gone on from.
    converter.feed(&output(0, Stream::Stderr, b"no line end")).unwrap();
    let mut most = 0;
    for at_us in 0..200 {
        converter.feed(&output(at_us, Stream::Stdout, &[b'x'; 32 * 1024])).unwrap();
        converter.feed(&output(at_us, Stream::Stdout, b"\n")).unwrap();
        most = most.max(converter.waiting());
        converter.kept();
    }
    assert!(most < 2 * MAX_HELD_LINES, "{most} bytes waited");
}

#[test]
fn foreign_bytes_end_it_where_they_begin() {
    let good = output(5, Stream::Stdout, b"shown\n");
    let mut converter = converter(plain(), SpoolPlace::default());
    converter.begin(&header());
    assert!(converter.feed(&[good.as_slice(), b"\x07\0\0garbage"].concat()).is_err());
    // Zeros are where nobody has written yet.
    assert_eq!(converter.feed(b"\0\0\0garbage").unwrap(), 0);
    assert_eq!(converter.next(), good.len() as u64);
    converter.let_go().unwrap();
    let file = converter.piece().lines.to_vec();
    assert_eq!(Recording::parse(&file).unwrap().rebuild().stdout, b"shown\n");
    // A place that no record of this spool has is refused, not skipped.
    let beyond = SpoolPlace { bytes: 0, within: 1000, at_us: 0 };
    assert!(super::tests::converter(plain(), beyond).feed(&good).is_err());
}
