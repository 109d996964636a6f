//! What an earlier run of the daemon left open is closed, so that the ledger
//! says what is known of it.

use crate::book::WriteError;
use crate::daemon::Host;
use crate::drafts::{self, Decided};
use crate::lost::Lost;
use crate::recordings::tape::Tape;
use crate::returning;
use countersign_core::{Digest, Outcome};
use countersign_ledger::OpenLogin;
use std::sync::Arc;

/// Closes the logins that a crash left open. Submissions that were not decided
/// are decided `error` at once; a login whose front still runs its command is
/// closed when that front is gone, in the background, and one whose front may
/// take it up again waits for that. `started` is L of our `host_started`.
pub(crate) async fn close_open_logins(
    host: &Arc<Host>,
    open: Vec<OpenLogin>,
    started: Digest,
) -> Result<(), WriteError> {
    for login in open {
        if let Some((id, of)) = login.undecided {
            let facts = Decided {
                reviews: &[],
                id,
                of,
                outcome: Outcome::Error,
                latency_ms: 0,
                by: None,
                comment: None,
                statement: None,
                why: Some("host_restarted"),
            };
            host.book.write_one(drafts::decided(login.id, facts)?).await?;
        }
        let tape = match Tape::resume(host.state(), &login) {
            Ok(tape) => tape,
            // Its entries are sound; the next start tries again.
            Err(why) => {
                tracing::error!("login {} stays open: {why}", login.id);
                continue;
            }
        };
        let tape = match tape.map(|tape| returning::expect(host, &login, tape, started)) {
            Some(None) => continue,
            Some(tape) => tape,
            None => None,
        };
        let recorded = login.recording_bytes;
        let lost = Lost { login: login.id, running: login.unfinished, tape, card: None, recorded, why: "recovered" };
        let host = host.clone();
        tokio::spawn(async move {
            tokio::select! {
                closed = lost.close(&host) => if let Err(why) = closed { host.ledger_failed(&why) },
                () = host.stopping() => {}
            }
        });
    }
    Ok(())
}
