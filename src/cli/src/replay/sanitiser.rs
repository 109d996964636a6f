//! Letting recorded terminal output draw, and nothing else.
//!
//! A recording holds whatever a program wrote. Shown as it is, it could make
//! the viewer's terminal type (answers to queries), fill the clipboard, rename
//! or move windows, print, grab the mouse, or change what keys send. So this is
//! a list of what may pass, not of what may not: text, cursor movement,
//! erasing, colours, scrolling, and a few modes that a reset undoes. A sequence
//! is written when it is complete, in one spelling, or not at all.

use std::fmt::Write as _;

/// Longest parameter part of a control sequence; longer ones are dropped.
const MAX_PARAMETERS: usize = 64;
/// A string sequence (OSC, DCS …) that is never closed ends after so many
/// characters, so that it cannot swallow the rest of the recording.
const MAX_STRING: usize = 16 * 1024;
/// Largest number in a control sequence.
const MAX_NUMBER: u32 = 9999;

/// Private modes that may be set and reset: reverse video, autowrap, cursor, the
/// other screens, synchronised output. Not origin mode: undoing it moves the cursor.
const MODES: [u32; 9] = [5, 7, 12, 25, 47, 1047, 1048, 1049, 2026];
/// Those of [`MODES`] that mean another screen.
const OTHER_SCREENS: [u32; 3] = [47, 1047, 1049];

/// The state between two pieces of output: sequences may be cut anywhere.
#[derive(Debug, Default)]
pub struct Sanitiser {
    state: State,
    other_screen: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape {
        intermediates: String,
    },
    Control {
        parameters: String,
        fit: bool,
    },
    Text {
        seen: usize,
        bell_ends: bool,
    },
}

impl Sanitiser {
    /// What of the next piece of output may be written.
    pub fn clean(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let state = std::mem::take(&mut self.state);
            self.state = self.step(state, c, &mut out);
        }
        out
    }

    /// Leaves the terminal as it was found: first screen, no colours, all
    /// lines scroll, cursor shown. Forgets a sequence that was begun.
    pub fn reset(&mut self) -> String {
        let back = if self.other_screen { "\x1b[?1049l" } else { "" };
        *self = Self::default();
        format!("{back}\x1b[?2026l\x1b7\x1b[r\x1b8\x1b[?5l\x1b[?7h\x1b[4l\x1b(B\x1b)B\x0f\x1b[0m\x1b[?12l\x1b[?25h")
    }

    fn step(&mut self, state: State, c: char, out: &mut String) -> State {
        match (state, c) {
            // These begin anew or end from everywhere.
            (_, '\x1b') => State::Escape { intermediates: String::new() },
            (_, '\x18' | '\x1a') => State::Ground,
            (_, '\u{80}'..='\u{9f}') => introduced(c),
            (State::Text { seen, bell_ends }, c) => in_string(seen, bell_ends, c),
            // Controls inside a sequence act at once, as on a real terminal.
            (state, '\0'..='\x1f' | '\x7f') => {
                out.push_str(control(c));
                state
            }
            (State::Ground, c) => {
                out.push(c);
                State::Ground
            }
            (State::Escape { intermediates }, c) => escape(intermediates, c, out),
            (State::Control { parameters, fit }, c) => self.in_control(parameters, fit, c, out),
        }
    }

    fn in_control(&mut self, mut parameters: String, fit: bool, c: char, out: &mut String) -> State {
        match c {
            '0'..='?' => {
                let fit = fit && parameters.len() < MAX_PARAMETERS;
                if fit {
                    parameters.push(c);
                }
                State::Control { parameters, fit }
            }
            // Sequences with intermediate bytes: none of them draws.
            ' '..='/' => State::Control { parameters, fit: false },
            '@'..='~' => {
                if fit {
                    self.finish(&parameters, c, out);
                }
                State::Ground
            }
            _ => State::Ground,
        }
    }

    fn finish(&mut self, parameters: &str, last: char, out: &mut String) {
        if let Some(modes) = parameters.strip_prefix('?') {
            self.modes(modes, last, out);
        } else if draws(parameters, last) {
            // Writing to a String cannot fail.
            write!(out, "\x1b[{parameters}{last}").unwrap_or_default();
        }
    }

    fn modes(&mut self, parameters: &str, last: char, out: &mut String) {
        if last != 'h' && last != 'l' {
            return;
        }
        for mode in numbers(parameters).into_iter().flatten().flatten().filter(|mode| MODES.contains(mode)) {
            if OTHER_SCREENS.contains(&mode) {
                self.other_screen = last == 'h';
            }
            write!(out, "\x1b[?{mode}{last}").unwrap_or_default();
        }
    }
}

/// What an 8-bit control begins; most of them nothing.
fn introduced(c: char) -> State {
    match c {
        '\u{9b}' => State::Control { parameters: String::new(), fit: true },
        '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => State::Text { seen: 0, bell_ends: false },
        '\u{9d}' => State::Text { seen: 0, bell_ends: true },
        _ => State::Ground,
    }
}

fn in_string(seen: usize, bell_ends: bool, c: char) -> State {
    if (bell_ends && c == '\x07') || seen >= MAX_STRING {
        return State::Ground;
    }
    State::Text { seen: seen + 1, bell_ends }
}

/// The 7-bit controls that may pass: movement and the two character sets.
fn control(c: char) -> &'static str {
    match c {
        '\x08' => "\x08",
        '\t' => "\t",
        '\n' | '\x0b' | '\x0c' => "\n",
        '\r' => "\r",
        '\x0e' => "\x0e",
        '\x0f' => "\x0f",
        _ => "",
    }
}

fn escape(mut intermediates: String, c: char, out: &mut String) -> State {
    match (intermediates.as_str(), c) {
        ("", '[') => return State::Control { parameters: String::new(), fit: true },
        ("", ']') => return State::Text { seen: 0, bell_ends: true },
        ("", 'P' | 'X' | '^' | '_') => return State::Text { seen: 0, bell_ends: false },
        (_, ' '..='/') => {
            if intermediates.len() < MAX_PARAMETERS {
                intermediates.push(c);
            }
            return State::Escape { intermediates };
        }
        ("", '7' | '8' | 'D' | 'E' | 'M') => write!(out, "\x1b{c}").unwrap_or_default(),
        // A full reset also drops what lies outside the screen: only clear it.
        ("", 'c') => out.push_str("\x1b[0m\x1b[r\x1b[H\x1b[2J"),
        // Line drawing (0), ASCII (B) and British (A) as first or second set.
        ("(" | ")", '0' | 'A' | 'B') => write!(out, "\x1b{intermediates}{c}").unwrap_or_default(),
        _ => {}
    }
    State::Ground
}

/// Whether a control sequence without private prefix only draws.
fn draws(parameters: &str, last: char) -> bool {
    if last == 'm' {
        return parameters.chars().all(|c| matches!(c, '0'..='9' | ';' | ':'));
    }
    let Some(numbers) = numbers(parameters) else { return false };
    match last {
        'A'..='I' | 'L' | 'M' | 'P' | 'S' | 'X' | 'Z' | '@' | '`' | 'a' | 'b' | 'd' | 'e' | 'f' | 'r' => true,
        // 3 would erase what the viewer had before.
        'J' | 'K' => numbers.iter().flatten().all(|n| *n <= 2),
        // More than one number would track the mouse, with `s` set margins.
        'T' => numbers.len() <= 1,
        's' | 'u' => parameters.is_empty(),
        // Insert mode only; 2 locks the keyboard, 20 changes what Enter sends.
        'h' | 'l' => numbers == [Some(4)],
        _ => false,
    }
}

/// `1;;30` as numbers, empty ones as `None`; `None` where it is anything else.
fn numbers(parameters: &str) -> Option<Vec<Option<u32>>> {
    let number = |part: &str| match part {
        "" => Some(None),
        digits if digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|n| *n <= MAX_NUMBER).map(Some)
        }
        _ => None,
    };
    parameters.split(';').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(text: &str) -> String {
        Sanitiser::default().clean(text)
    }

    #[test]
    fn drawing_passes() {
        for text in [
            "plain ✓ é\r\n\ttab\x08",
            "\x1b[1;31mred\x1b[0m \x1b[38;5;196m\x1b[48:2::1:2:3m",
            "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[1A",
            "\x1b7\x1b[1;5r\x1b8\x1bM\x1b(0lqk\x1b(B",
            "\x1b[?25l\x1b[?25h\x1b[?1049h\x1b[?1049l",
        ] {
            assert_eq!(clean(text), text, "{text:?}");
        }
    }

    #[test]
    fn everything_else_is_dropped() {
        let cases = [
            ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
            ("a\x1b]0;title\x1b\\b", "ab"),
            ("a\u{9d}0;title\u{9c}b", "ab"),
            ("a\x1bP$qm\x1b\\b", "ab"),
            ("a\x1b_apc\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
            ("a\x1b[6nb\x1b[cc\x1b[>cd\x1b[=ce\x1b[0cf", "abcdef"),
            ("a\x1b[14tb\x1b[21tc\x1b[3;0;0td", "abcd"),
            ("a\u{9b}6nb", "ab"),
            ("a\x1b[?1000h\x1b[?1004h\x1b[?2004h\x1b[?1hb", "ab"),
            ("a\x1b[?1049;1000hb", "a\x1b[?1049hb"),
            ("a\x1b[>4;2mb\x1b[>1ub\x1b[?ub", "abbb"),
            ("a\x1b[5ib\x1b[?4i", "ab"),
            ("a\x1b[3Jb", "ab"),
            ("a\x1b[1;2;3;4;5Tb", "ab"),
            ("a\x1b[!pb\x1b[1$yb\x1b[2 qb", "abbb"),
            ("a\x1bZb\x1b=c\x1b>d\x05\x07e", "abcde"),
            ("a\x1b[99999999Cb", "ab"),
            ("a\x1b[20hb\x1b[2hc", "abc"),
            ("a\x1bcb", "a\x1b[0m\x1b[r\x1b[H\x1b[2Jb"),
            ("a\x1b]0;cut by\x1b[31mred", "a\x1b[31mred"),
            ("a\x1b[3\x18b", "ab"),
        ];
        for (text, want) in cases {
            assert_eq!(clean(text), want, "{text:?}");
        }
    }

    #[test]
    fn an_open_string_ends_some_time() {
        let text = format!("\x1b]0;{}end", "x".repeat(MAX_STRING + 10));
        assert!(clean(&text).ends_with("end"));
    }

    #[test]
    fn the_end_leaves_the_other_screen() {
        let mut sanitiser = Sanitiser::default();
        sanitiser.clean("\x1b[?1049h\x1b[3");
        let reset = sanitiser.reset();
        assert!(reset.starts_with("\x1b[?1049l") && reset.ends_with("\x1b[?25h"));
        assert!(!sanitiser.reset().contains("1049"));
    }

    /// Reads output with rules of its own: whether each escape is one that only draws.
    fn harmless(text: &str) -> bool {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\x1b' => {
                    let Some(taken) = harmless_escape(rest) else { return false };
                    rest = &rest[taken..];
                }
                '\n' | '\r' | '\t' | '\x08' | '\x0e' | '\x0f' => {}
                c if c.is_control() => return false,
                _ => {}
            }
        }
        true
    }

    fn harmless_escape(rest: &str) -> Option<usize> {
        match rest.chars().next()? {
            '7' | '8' | 'D' | 'E' | 'M' => Some(1),
            '(' | ')' => matches!(rest.chars().nth(1)?, '0' | 'A' | 'B').then_some(2),
            '[' => {
                let end = rest[1..].find(|c: char| ('@'..='~').contains(&c))? + 1;
                let (parameters, last) = (&rest[1..end], rest[end..].chars().next()?);
                let known = if let Some(mode) = parameters.strip_prefix('?') {
                    "hl".contains(last) && MODES.contains(&mode.parse().ok()?)
                } else {
                    parameters.chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':')
                        && !"cntxyqpigR".contains(last)
                };
                known.then_some(end + 1)
            }
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn any_text_only_draws(text in any::<String>()) {
            prop_assert!(harmless(&clean(&text)));
        }

        #[test]
        fn any_sequences_only_draw_however_cut(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("\x1b".to_owned()), Just("\x1b[".to_owned()), Just("\x1b]".to_owned()), Just("\x1bP".to_owned()),
                    Just("\x1b\\".to_owned()), Just("\x07".to_owned()), Just("\u{9b}".to_owned()), Just("\u{9d}".to_owned()),
                    Just("\u{9c}".to_owned()), Just("\x18".to_owned()), "[0-9;:?>=!$ ]{0,6}", "[a-zA-Z@`~]", "[ -~]{0,4}",
                ],
                0..60,
            ),
        ) {
            let mut pieces = Sanitiser::default();
            let cut: String = parts.iter().map(|part| pieces.clean(part)).collect();
            prop_assert!(harmless(&cut), "{cut:?}");
            prop_assert_eq!(cut, clean(&parts.concat()));
            prop_assert!(harmless(&pieces.reset()));
        }
    }
}
