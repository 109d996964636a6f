//! An asciicast read by the letter of its description, without the product's own reader.

use std::path::Path;

use serde_json::Value;

/// A recording.
pub struct Cast {
    /// Its first line.
    pub header: Value,
    /// All other lines.
    pub events: Vec<Value>,
}

impl Cast {
    /// Reads a file; panics on anything that is not a line of JSON.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text)
    }

    /// Reads text.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line of a recording is whole");
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        let header = lines.next().expect("a header");
        assert_eq!(header["version"], 2, "asciicast v2");
        Self { header, events: lines.collect() }
    }

    /// The texts of the markers.
    pub fn markers(&self) -> Vec<String> {
        let markers = self.events.iter().filter(|event| event[1] == "m");
        markers.map(|event| event[2].as_str().expect("a marker's text").to_owned()).collect()
    }

    /// What was written to standard output, or to the terminal.
    #[track_caller]
    pub fn stdout(&self) -> Vec<u8> {
        self.rebuilt().0
    }

    /// What was written to standard error, where that was separate.
    #[track_caller]
    pub fn stderr(&self) -> Vec<u8> {
        self.rebuilt().1
    }

    /// The exact bytes of both: `o` as it is, without the CR that stands before each LF where there was no terminal;
    /// or the base64 of the `x` that follows it, where it was not UTF-8. Other `x` name the stream of what follows.
    fn rebuilt(&self) -> (Vec<u8>, Vec<u8>) {
        let tty = self.header["countersign"]["tty"].as_bool().expect("tty");
        let text = |event: &Value| event[2].as_str().expect("text").to_owned();
        let (mut bytes, mut to_stderr) = ((Vec::new(), Vec::new()), false);
        let mut events = self.events.iter().peekable();
        while let Some(event) = events.next() {
            match event[1].as_str() {
                Some("x") if text(event) == "stderr" => to_stderr = true,
                Some("x") if text(event) == "stdout" => to_stderr = false,
                Some("o") => {
                    let into = if to_stderr { &mut bytes.1 } else { &mut bytes.0 };
                    let raw = events.peek().filter(|next| next[1] == "x").map(|next| text(next));
                    match raw.as_deref().and_then(|raw| raw.strip_prefix("raw:")) {
                        Some(raw) => into.extend(base64(raw)),
                        None if tty => into.extend(text(event).bytes()),
                        None => into.extend(text(event).replace("\r\n", "\n").bytes()),
                    }
                }
                _ => {}
            }
        }
        bytes
    }
}

/// Base64 of either alphabet, padded or not.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0u32);
    for character in text.bytes().filter(|character| *character != b'=') {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            other => panic!("not base64: {}", char::from(other)),
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rebuilds_text_and_bytes() {
        let header = r#"{"version":2,"countersign":{"tty":false}}"#;
        let cast = Cast::parse(&format!(
            "{header}\n{}\n{}\n{}\n{}\n{}\n{}\n",
            r#"[0.1,"o","é\r\n"]"#,
            r#"[0.2,"m","mark"]"#,
            r#"[0.3,"o","a\ufffd"]"#,
            r#"[0.3,"x","raw:Yf8="]"#,
            r#"[0.3,"x","stderr"]"#,
            r#"[0.4,"o","e"]"#,
        ));
        assert_eq!(cast.stdout(), [0xc3, 0xa9, b'\n', b'a', 0xff]);
        assert_eq!(cast.stderr(), b"e");
        assert_eq!(cast.markers(), ["mark"]);
        assert_eq!(base64("-_8"), base64("+/8="));
    }
}
