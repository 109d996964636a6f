//! Frames on the Unix socket between front and host: 4 bytes big-endian
//! length, then that many bytes of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest body of a frame, in bytes. A command line of a single `execve`
/// argument is at most 128 KiB (`MAX_ARG_STRLEN`), in base64 175 KiB.
pub const MAX_FRAME: usize = 1024 * 1024;

/// A frame that must end the connection.
#[derive(Debug, thiserror::Error)]
pub enum BadFrame {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes; the limit is {MAX_FRAME}")]
    TooLong(usize),
    /// Not the JSON that is expected here.
    #[error("a frame that is not a known message: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a message as one frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, BadFrame> {
    let body = serde_json::to_vec(message)?;
    let length =
        u32::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME).ok_or(BadFrame::TooLong(body.len()))?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Collects bytes as they come and yields whole messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds bytes that were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes the next whole message; `None` until one is complete. After an
    /// error the connection is of no further use.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, BadFrame> {
        let Some((head, rest)) = self.buffer.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > MAX_FRAME {
            return Err(BadFrame::TooLong(length));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..4 + length);
        Ok(Some(message))
    }

    /// Whether nothing is held: no bytes of an unfinished message.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_any_split() {
        let mut stream = encode(&"one").unwrap();
        stream.extend(encode(&"two").unwrap());
        for cut in 0..stream.len() {
            let mut decoder = Decoder::default();
            let mut seen: Vec<String> = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                decoder.push(part);
                while let Some(message) = decoder.next_message().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, ["one", "two"]);
            assert!(decoder.is_empty());
        }
    }

    #[test]
    fn refuses_a_length_over_the_limit_before_reading_it() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_message::<String>(), Err(BadFrame::TooLong(_))));
    }
}
