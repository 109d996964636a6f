//! Logins that their front did not close: what their spools still hold is
//! kept, and the ledger says how they ended.

use crate::book::WriteError;
use crate::daemon::Host;
use crate::drafts;
use crate::recordings::keep;
use crate::recordings::tape::{Chunk, Tape, TapeError, cut};
use crate::returning::Card;
use countersign_core::{Digest, LoginId, SubmissionId};
use countersign_ledger::Written;
use std::time::Duration;

/// How often a recording that cannot be written is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What a login is closed as whose front wrote what no front writes.
const BAD_RECORDING: &str = "bad_recording";

/// Notes that nothing will be added to a recording.
pub(crate) fn closed(host: &Host, login: LoginId, written: Option<Written>) {
    host.shipper.uploads().closed(login, written.map_or(0, |entry| entry.seq));
    host.shipper.outbox().poke();
    host.checkpoints.login_ended();
}

/// What a login is closed as whose recording cannot go on.
pub(crate) fn lost_word(why: &TapeError) -> &'static str {
    if why.is_fronts() { BAD_RECORDING } else { "disk_full" }
}

/// A login whose front is gone or was sent away.
pub(crate) struct Lost {
    pub(crate) login: LoginId,
    pub(crate) running: Option<(SubmissionId, Digest)>,
    pub(crate) tape: Option<Tape>,
    pub(crate) card: Option<Card>,
    /// Bytes in chunks, where there is no tape.
    pub(crate) recorded: u64,
    /// `killed`, `recovered`, `disk_full`, `recording_quota` or `bad_recording`.
    pub(crate) why: &'static str,
}

impl Lost {
    /// Waits until nobody can write to the spool, then writes what it still
    /// holds, the end of what ran, and `session_closed`. Where the recording
    /// cannot be written the login stays open until it can. Gives the length
    /// of the recording.
    pub(crate) async fn close(mut self, host: &Host) -> Result<u64, WriteError> {
        let mut chunk = None;
        let length = match &mut self.tape {
            Some(tape) => {
                while let Err(why) = tape.alone().await {
                    tracing::error!("login {}: cannot tell whether its front is gone: {why}", self.login);
                    tokio::time::sleep(TRY_AGAIN).await;
                }
                chunk = keep_rest(host, self.login, tape, &mut self.why).await?;
                tape.recorded() + chunk.as_ref().map_or(0, |chunk| chunk.length)
            }
            None => {
                if let Err(why) = cut(host.state(), self.login, self.recorded) {
                    tracing::error!("the recording of {} cannot be cut to its last chunk: {why}", self.login);
                }
                self.recorded
            }
        };
        let ended = self.running.map(|(id, of)| drafts::exec_lost(self.login, id, of));
        let rest = ended.into_iter().chain([drafts::session_lost(self.login, length, self.why)]).collect();
        let last = match self.tape {
            Some(mut tape) => {
                let last = keep::write(host, self.login, &mut tape, chunk, rest).await?;
                tape.close();
                last
            }
            None => host.book.write(rest).await?.pop(),
        };
        closed(host, self.login, last);
        if let Some(card) = self.card {
            card.remove();
        }
        Ok(length)
    }
}

/// Keeps what a spool holds but for its last chunk, which is returned. What a
/// front wrote that cannot be read is where the recording ends.
async fn keep_rest(
    host: &Host,
    login: LoginId,
    tape: &mut Tape,
    why: &mut &'static str,
) -> Result<Option<Chunk>, WriteError> {
    let mut ended = false;
    loop {
        let turned = tokio::task::block_in_place(|| {
            let chunk = if ended { tape.let_go() } else { tape.turn_all() }?;
            tape.settle(tape.recorded() + chunk.as_ref().map_or(0, |chunk| chunk.length))?;
            Ok(chunk)
        });
        match turned {
            Ok(Some(chunk)) if !ended && !tape.is_at_end() => {
                keep::write(host, login, tape, Some(chunk), Vec::new()).await.map(drop)?;
            }
            Ok(last) => {
                if !ended && !tape.ends_well() {
                    tracing::error!("login {login}: there is more in its spool, behind zeros");
                    *why = BAD_RECORDING;
                }
                return Ok(last);
            }
            Err(fault @ (TapeError::Bad { .. } | TapeError::Short(_))) if !ended => {
                tracing::error!("login {login}: {fault}");
                *why = lost_word(&fault);
                ended = true;
            }
            Err(fault) => {
                tracing::error!("login {login}: {fault}; it stays open until that is mended");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}
