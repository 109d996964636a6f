//! The same bytes come out however they were cut, and no secret among them.

use super::*;

fn whole(text: &[u8]) -> Vec<u8> {
    let mut stream = Stream::default();
    let mut out = stream.push(text).into_owned();
    out.extend(stream.finish());
    out
}

fn token() -> String {
    format!("ghp_{}", "a1B2c3D4e5F6".repeat(3))
}

fn key() -> String {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDb7x3kP2mQ9s1L";
    format!("-----BEGIN PRIVATE KEY-----\n{line}\n{line}\nab3=\n-----END PRIVATE KEY-----")
}

/// Texts, and what of them must not come out.
fn samples() -> Vec<(String, String)> {
    let token = token();
    let (head, tail) = token.split_at(17);
    vec![
        (format!("start\nexport GH={token}\nend\n"), token.clone()),
        (format!("no newline {token}"), token.clone()),
        (format!("\x1b[32m{head}\x1b[0m{tail}\x1b[K\r\nnext é\n"), tail.to_owned()),
        (format!("g\x1b[1mhp_{} x\n", &token[4..]), token[4..].to_owned()),
        ("DB_PASSWORD=hunter2xQ9\nother\n".to_owned(), "hunter2xQ9".to_owned()),
        ("{\"password\": \"hunter2 xQ9\"}\r\n".to_owned(), "hunter2".to_owned()),
        (format!("a\n{}\nb\n", key()), "ANBgkqhkiG9w0".to_owned()),
        (format!("{}\r\nb\n", key().replace('\n', "\r\n")), "ANBgkqhkiG9w0".to_owned()),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDb7x3kP2mQ9s1L\n$ \n"
                .to_owned(),
            "ANBgkqhkiG9w0".to_owned(),
        ),
        (format!("{}{head}\r\n{tail}\r\nnext\n", " ".repeat(63)), tail.to_owned()),
        (format!("{}{head} \r{tail}\r\nnext\n", " ".repeat(63)), tail.to_owned()),
        ("postgres://app:hunter2xQ9@db/x é\n".to_owned(), "hunter2xQ9".to_owned()),
        ("card 4111 1111 1111 1111\n".to_owned(), "4111 1111".to_owned()),
        (format!("\u{fffd}{token}\u{301}\n"), token.clone()),
    ]
}

#[test]
fn no_secret_comes_out_wherever_the_bytes_are_cut() {
    for (text, secret) in samples() {
        let bytes = text.as_bytes();
        let expected = whole(bytes);
        let shown = String::from_utf8_lossy(&expected).into_owned();
        assert!(!shown.contains(&secret) && shown.contains("‹redacted"), "{text:?}\n{shown:?}");
        for at in 0..=bytes.len() {
            let mut stream = Stream::default();
            let mut out = stream.push(&bytes[..at]).into_owned();
            out.extend_from_slice(&stream.push(&bytes[at..]));
            out.extend(stream.finish());
            assert_eq!(out, expected, "cut at {at}: {text:?}");
        }
        let mut stream = Stream::default();
        let mut out = Vec::new();
        for byte in bytes.chunks(1) {
            out.extend_from_slice(&stream.push(byte));
            assert!(stream.held() <= MAX_HELD);
        }
        out.extend(stream.finish());
        assert_eq!(out, expected, "byte by byte: {text:?}");
    }
}

#[test]
fn a_reader_goes_on_from_what_is_held() {
    for (text, _) in samples() {
        let bytes = text.as_bytes();
        for at in 0..=bytes.len() {
            let mut first = Stream::default();
            let mut out = first.push(&bytes[..at]).into_owned();
            let mut second = Stream::default();
            out.extend_from_slice(&second.push(&bytes[at - first.held()..]));
            out.extend(second.finish());
            assert_eq!(out, whole(bytes), "{at}: {text:?}");
        }
    }
}

#[test]
fn ordinary_output_stays_as_it_is() {
    let mut bytes: Vec<u8> = (0..=255u8).cycle().take(5000).collect();
    bytes.extend_from_slice("plain é\n\x1b[31mred\x1b[0m\r\n12:34:56 path=/usr/bin key: value\n".as_bytes());
    bytes.extend_from_slice("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".as_bytes());
    assert_eq!(whole(&bytes), bytes);
}

#[test]
fn an_endless_line_is_bounded() {
    let mut stream = Stream::default();
    let piece = vec![b'x'; 10_000];
    let mut out = 0;
    for _ in 0..100 {
        out += stream.push(&piece).len();
        assert!(stream.held() <= MAX_HELD);
    }
    assert_eq!(out + stream.finish().len(), 1_000_000);
    let long = format!("{} token={} {}", "a ".repeat(12_300), token(), "b ".repeat(20_000));
    let shown = whole(long.as_bytes());
    assert!(!String::from_utf8_lossy(&shown).contains("a1B2"));
    for at in [1, 20_000, 24_590, 24_620, 30_000, 32_768, 40_000] {
        let mut stream = Stream::default();
        let mut out = stream.push(&long.as_bytes()[..at]).into_owned();
        out.extend_from_slice(&stream.push(&long.as_bytes()[at..]));
        out.extend(stream.finish());
        assert!(out == shown, "cut at {at}");
    }
}

#[test]
fn what_a_command_gave_away_is_hidden_where_it_comes_again() {
    let mut known = Known::default();
    known.add("correct horse");
    known.add("no");
    known.add("changeme");
    let mut stream = Stream::default();
    stream.learn(&known);
    let mut out = stream.push(b"said \x1b[1mcorrect\x1b[0m horse; no changeme\n").into_owned();
    out.extend(stream.finish());
    assert_eq!(String::from_utf8(out).unwrap(), "said \x1b[1m‹redacted command_secret›; no changeme\n");
    assert_eq!(stream.take_counts().redacted.get("command_secret"), Some(&1));
}

/// What a hostile or a colourful program writes, from pieces and a seed.
fn noise(seed: &mut u64) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b"\x1b[1;32m",
        b"\x1b[0m",
        b"\x1b[",
        b"\x1b]0;title\x07",
        b"\x1b]0;",
        b"\x1b",
        b"\x08",
        b"\r\n",
        b"\n",
        b" \r",
        b"\r",
        b" ",
        b"codec",
        b"code=",
        b"code",
        b"pass",
        b"word=",
        b"hunter2xQ9zK",
        b"to",
        b"ken",
        b": ",
        b"key",
        b"ghp_",
        b"a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6",
        b"4111 1111 1111 1111",
        b"4111",
        b"obj/net.o",
        b"@",
        b"\xff",
        b"\xe2\x80\x98",
        b"\xe2",
        b"postgres://app:hunter2xQ9@db/x",
        b"-----BEGIN PRIVATE KEY-----",
        b"m",
    ];
    let mut next = |below: usize| {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        usize::try_from(*seed % u64::try_from(below).unwrap()).unwrap()
    };
    let length = 1 + next(24);
    (0..length).flat_map(|_| PIECES[next(PIECES.len())].to_vec()).collect()
}

#[test]
fn what_is_not_looked_at_closer_has_nothing_in_it() {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut stream = Stream::default();
    stream.known.add("net.obj/hunter2");
    let (mut passed, mut found) = (0, 0);
    for _ in 0..20_000 {
        let bytes = noise(&mut seed);
        let looked_at = Lines::of(&bytes).map(|lines| stream.suspects(&bytes, &lines, &READ));
        for (start, end) in stream.suspects(&bytes, &Lines::raw(&bytes), &RAW) {
            let piece = &bytes[start..end];
            let passed_by =
                looked_at.as_ref().is_some_and(|all| all.iter().all(|(from, to)| *to <= start || end <= *from));
            let mut cuts = Vec::new();
            stream.search(&Clean::of(piece), start, &mut cuts);
            found += usize::from(!cuts.is_empty());
            if passed_by || !stream.is_suspect(piece) {
                passed += 1;
                assert_eq!(cuts, [], "{:?} of {:?}", String::from_utf8_lossy(piece), String::from_utf8_lossy(&bytes));
            }
        }
    }
    assert!(passed > 1000 && found > 1000, "{passed} passed by, {found} with secrets");
}

#[test]
fn the_last_lines_show_whether_a_group_is_open() {
    let (mut seed, mut open) = (0x2545_f491_4f6c_dd1d, 0);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..4).flat_map(|_| [noise(&mut seed), b"\n".to_vec()].concat()).collect();
        let shown = group::open_from(&bytes);
        assert_eq!(shown, group::begun(&bytes).unwrap_or(bytes.len()), "{:?}", String::from_utf8_lossy(&bytes));
        open += usize::from(shown < bytes.len());
    }
    assert!(open > 100, "{open} open");
}
