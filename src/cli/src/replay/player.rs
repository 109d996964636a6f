//! Playing a recording on a terminal, through the sanitiser, at its own pace.

use super::sanitiser::Sanitiser;
use crate::failure::Failure;
use crate::signals::Stops;
use countersign_api::recording::{Recording, What};
use countersign_core::visible;
use crossterm::event::{self, KeyCode, KeyEvent, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// How often keys are looked at while waiting.
const LOOK: Duration = Duration::from_millis(20);

/// How to play.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So many times faster.
    pub speed: f64,
    /// Longest silence, in seconds.
    pub idle: Option<f64>,
    /// Whether markers are shown.
    pub markers: bool,
    /// Where it begins: before that nothing is waited for, and where no screen is to be filled nothing shown.
    pub from: Duration,
}

/// Plays to stdout. Waits between outputs only where stdout is a terminal;
/// keys act only where stdin is one too.
pub async fn play(tape: &Recording, pace: Pace) -> Result<(), Failure> {
    let stops = Stops::take_over()?;
    let terminal = io::stdout().is_terminal();
    let keys = if terminal && io::stdin().is_terminal() { Some(RawMode::enter()?) } else { None };
    let mut deck = Deck { stops, keys, paused: false };
    let mut sanitiser = Sanitiser::default();
    let played = run(tape, pace, terminal, &mut deck, &mut sanitiser).await;
    let reset = if terminal { write_out(&format!("{}\r\n", sanitiser.reset())) } else { Ok(()) };
    played.and(reset)
}

async fn run(
    tape: &Recording,
    pace: Pace,
    terminal: bool,
    deck: &mut Deck,
    sanitiser: &mut Sanitiser,
) -> Result<(), Failure> {
    let mut last = Duration::ZERO;
    for event in &tape.events {
        let at = Duration::from_micros(event.at_us);
        // Nothing before the beginning is waited for, nor is the rest of a silence that it lies in.
        let silence_s = at.saturating_sub(last.max(pace.from)).as_secs_f64();
        last = at;
        if at < pace.from && !terminal {
            continue;
        }
        let wait_s = pace.idle.map_or(silence_s, |most| silence_s.min(most)) / pace.speed;
        if terminal && deck.wait(Duration::try_from_secs_f64(wait_s).unwrap_or_default()).await? == Key::Quit {
            return Ok(());
        }
        match &event.what {
            What::Output(text) => write_out(&sanitiser.clean(text))?,
            What::Marker(label) if pace.markers => write_out(&marker(label))?,
            What::Marker(_) | What::Raw(_) | What::Stream(_) | What::Resize(..) | What::Other(..) => {}
        }
    }
    Ok(())
}

/// Markers are legible since they were recorded: a `⏎` in one is a mark of ours.
fn marker(label: &str) -> String {
    format!("\r\n── {} ──\r\n", visible(label))
}

fn write_out(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| {
        if e.kind() == ErrorKind::BrokenPipe { Failure::Unread } else { Failure::io("write to", "stdout", &e) }
    })
}

struct Deck {
    stops: Stops,
    keys: Option<RawMode>,
    paused: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Quit,
    Pause,
    Step,
    Other,
}

impl Deck {
    /// Waits so long, longer while paused. Answers [`Key::Quit`] where the viewer has had enough.
    async fn wait(&mut self, wait: Duration) -> Result<Key, Failure> {
        let mut left = wait;
        loop {
            let pressed = if self.keys.is_some() { pressed()? } else { Key::Other };
            match pressed {
                Key::Quit => return Ok(Key::Quit),
                Key::Pause => self.paused = !self.paused,
                Key::Step if self.paused => return Ok(Key::Step),
                Key::Step | Key::Other => {}
            }
            if left.is_zero() && !self.paused {
                return Ok(Key::Other);
            }
            let slice = if self.paused { LOOK } else { left.min(LOOK) };
            let began = Instant::now();
            tokio::select! {
                () = tokio::time::sleep(slice) => {}
                stop = self.stops.next() => return Err(stop.into()),
            }
            if !self.paused {
                left = left.saturating_sub(began.elapsed());
            }
        }
    }
}

/// The next key that was pressed, if any.
fn pressed() -> Result<Key, Failure> {
    let broken = |e: io::Error| Failure::io("read keys from", "the terminal", &e);
    while event::poll(Duration::ZERO).map_err(broken)? {
        let Some(key) = event::read().map_err(broken)?.as_key_press_event() else { continue };
        let meaning = meaning(key);
        if meaning != Key::Other {
            return Ok(meaning);
        }
    }
    Ok(Key::Other)
}

fn meaning(key: KeyEvent) -> Key {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let KeyCode::Char(c) = key.code else { return Key::Other };
    match c {
        'c' if control => Key::Quit,
        'q' => Key::Quit,
        ' ' => Key::Pause,
        '.' => Key::Step,
        _ => Key::Other,
    }
}

/// Keys one by one, not echoed, until dropped.
struct RawMode;

impl RawMode {
    fn enter() -> Result<Self, Failure> {
        enable_raw_mode().map_err(|e| Failure::io("prepare", "the terminal", &e))?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        disable_raw_mode().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_made_visible() {
        assert_eq!(marker("approved\x1b[2K"), "\r\n── approved⟨U+001B⟩[2K ──\r\n");
    }
}
