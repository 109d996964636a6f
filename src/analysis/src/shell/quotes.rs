//! The four ways of quoting.

use super::word::{Making, runs_if_evaluated};
use super::{Parse, Reader};
use crate::facts::Unknown;

impl Reader<'_> {
    pub(super) fn single_quoted(&mut self, making: &mut Making) -> Parse<()> {
        self.at += 1;
        let here = self.line(self.at);
        let Some(length) = self.rest().find('\'') else { return self.stop() };
        let text = self.rest().get(..length).unwrap_or_default();
        self.out.dormant |= runs_if_evaluated(text);
        making.add_text(text, here);
        making.word.quoted = true;
        self.at += length + 1;
        Ok(())
    }

    pub(super) fn double_quoted(&mut self, making: &mut Making) -> Parse<()> {
        self.at += 1;
        making.word.quoted = true;
        self.quoted_parts(making, Some(b'"'))
    }

    /// What stands between double quotes; with `close` `None` the rest of the
    /// text, where a quote means nothing (a here-document).
    pub(super) fn quoted_parts(&mut self, making: &mut Making, close: Option<u8>) -> Parse<()> {
        loop {
            let here = self.line(self.at);
            match self.peek() {
                None if close.is_none() => return Ok(()),
                None => return self.stop(),
                Some(byte) if Some(byte) == close => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.backslash_in_quotes(making, close.is_some()),
                Some(b'$') => self.dollar(making, true)?,
                Some(b'`') => self.backquoted(making, true)?,
                Some(_) => {
                    if let Some(c) = self.next_char() {
                        making.add(c, here);
                    }
                }
            }
        }
    }

    fn backslash_in_quotes(&mut self, making: &mut Making, quotes: bool) {
        let here = self.line(self.at);
        match self.peek_at(1) {
            Some(b'\n') => self.at += 2,
            Some(next @ (b'$' | b'`' | b'\\' | b'"')) if next != b'"' || quotes => {
                self.at += 2;
                self.out.dormant |= matches!(next, b'$' | b'`');
                making.add(char::from(next), here + 1);
            }
            Some(_) | None => {
                self.at += 1;
                making.add('\\', here);
            }
        }
    }

    /// `$'…'`, the opening already known to be there.
    pub(super) fn ansi_quoted(&mut self, making: &mut Making) -> Parse<()> {
        self.at += 2;
        let start = self.line(self.at);
        let mut bytes = Vec::new();
        loop {
            match self.next_char() {
                None => return self.stop(),
                Some('\'') => break,
                Some('\\') => self.ansi_escape(&mut bytes, making)?,
                Some(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        // bash ends the string at a zero byte, and gives the program bytes that are no text.
        if bytes.contains(&0) || std::str::from_utf8(&bytes).is_err() {
            making.word.unknown.add(Unknown::LOCALE);
        }
        let text = String::from_utf8_lossy(&bytes);
        self.out.dormant |= runs_if_evaluated(&text);
        making.add_text(&text, start);
        making.word.quoted = true;
        Ok(())
    }

    fn ansi_escape(&mut self, bytes: &mut Vec<u8>, making: &mut Making) -> Parse<()> {
        let Some(c) = self.next_char() else { return self.stop() };
        let byte = match c {
            'a' => 7,
            'b' => 8,
            'e' | 'E' => 27,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '\'' | '"' | '?' => u8::try_from(c).unwrap_or(b'?'),
            '0'..='7' => {
                self.at -= 1;
                // bash keeps the low eight bits.
                u8::try_from(self.digits(3, 8).unwrap_or(0) & 0xff).unwrap_or(0)
            }
            'x' => match self.digits(2, 16) {
                Some(value) => u8::try_from(value).unwrap_or(0),
                None => return self.stop(),
            },
            'u' | 'U' => {
                let Some(value) = self.digits(if c == 'u' { 4 } else { 8 }, 16) else { return self.stop() };
                let Some(c) = char::from_u32(value) else { return self.stop() };
                if !c.is_ascii() {
                    making.word.unknown.add(Unknown::LOCALE);
                }
                bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                return Ok(());
            }
            'c' => match self.next_char() {
                Some(c) if c.is_ascii() && c != '\\' && c != '\'' => {
                    u8::try_from(c).unwrap_or(0).to_ascii_uppercase() & 0x1f
                }
                Some(_) | None => return self.stop(),
            },
            other => {
                bytes.push(b'\\');
                bytes.extend(other.encode_utf8(&mut [0; 4]).bytes());
                return Ok(());
            }
        };
        bytes.push(byte);
        Ok(())
    }

    fn digits(&mut self, most: usize, radix: u32) -> Option<u32> {
        let digits: String = self.rest().chars().take(most).take_while(|c| c.is_digit(radix)).collect();
        self.at += digits.len();
        u32::from_str_radix(&digits, radix).ok()
    }
}
