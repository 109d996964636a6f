//! Text inside of a JSON string, written as `serde_json` writes it.

/// Appends text without the quotes around it; with `crlf` each LF as CR LF.
/// Eight bytes are copied and looked at together, and what is behind the first
/// that needs an escape is taken back.
pub(super) fn escape(text: &str, crlf: bool, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        out.extend_from_slice(word);
        let odd = odd(u64::from_le_bytes(*word));
        if odd == 0 {
            rest = after;
            continue;
        }
        let plain = odd.trailing_zeros() as usize / 8;
        out.truncate(out.len() - (8 - plain));
        let Some((byte, after)) = rest.get(plain..).and_then(<[u8]>::split_first) else { return };
        escaped(*byte, crlf, out);
        rest = after;
    }
    for byte in rest {
        match byte {
            b'"' | b'\\' | ..0x20 => escaped(*byte, crlf, out),
            byte => out.push(*byte),
        }
    }
}

/// Sets the highest bit of the first byte that needs an escape, and of none
/// before it.
fn odd(word: u64) -> u64 {
    let all = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let below = |word: u64, least: u8| word.wrapping_sub(all(least)) & !word;
    (below(word, 0x20) | below(word ^ all(b'"'), 1) | below(word ^ all(b'\\'), 1)) & all(0x80)
}

fn escaped(byte: u8, crlf: bool, out: &mut Vec<u8>) {
    let short: &[u8; 2] = match byte {
        b'"' => br#"\""#,
        b'\\' => br"\\",
        b'\n' if crlf => return out.extend_from_slice(br"\r\n"),
        b'\n' => br"\n",
        b'\r' => br"\r",
        b'\t' => br"\t",
        0x08 => br"\b",
        0x0c => br"\f",
        byte => {
            let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + (half - 10) };
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0xf)]);
        }
    };
    out.extend_from_slice(short);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reads_as_serde_writes(text: &str) {
        for crlf in [false, true] {
            let mut out = b"before".to_vec();
            escape(text, crlf, &mut out);
            let text = if crlf { text.replace('\n', "\r\n") } else { text.to_owned() };
            let wanted = serde_json::to_string(&text).unwrap();
            assert_eq!(format!("\"{}\"", String::from_utf8(out.split_off(6)).unwrap()), wanted);
            assert_eq!(out, b"before");
        }
    }

    #[test]
    fn every_byte_at_every_place_is_written_as_serde_does() {
        for c in (0..0x180).filter_map(char::from_u32) {
            for before in 0..20 {
                reads_as_serde_writes(&format!("{}{c}{}", "\u{1f600}x".repeat(before), "y".repeat(before % 9)));
                reads_as_serde_writes(&format!("{}{c}{c}\"", "~".repeat(before)));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_written_as_serde_does(text in "[\\x00-\\x7f\u{e9}\u{20ac}]{0,80}") {
            reads_as_serde_writes(&text);
        }
    }
}
