//! The program that a line reads from its standard input: held with it.

use crate::connection::Connection;
use crate::no_ruling::{NoRuling, cancel_word};
use crate::sent::{beside_others, fits};
use countersign_analysis::Held;
use countersign_api::front::{FrontMessage, HostMessage, ProgramEnd, Submit};
use countersign_core::{NotProgram, b64_decode};
use std::time::Duration;

/// How long a front may take to send a program: longer than it waits itself.
const PROGRAM_WITHIN: Duration = Duration::from_secs(90);

/// Asks the front for the program on standard input and adds it to what is
/// held; also why there is nobody to go on for. `None` where it cannot be
/// analysed, or is longer than the front says.
pub(crate) async fn with_program(
    connection: &mut Connection,
    submit: &Submit,
    held: Held,
) -> Option<(Held, Option<NoRuling>)> {
    if connection.send(&HostMessage::WantProgram { nonce: submit.nonce }).await.is_err() {
        return Some((held, Some(NoRuling::FrontGone)));
    }
    let program = match tokio::time::timeout(PROGRAM_WITHIN, connection.next()).await {
        Ok(Ok(Some(FrontMessage::Program(program)))) if program.nonce == submit.nonce => program,
        Ok(Ok(Some(FrontMessage::Cancel { nonce, why }))) if nonce == submit.nonce => {
            return Some((held, Some(NoRuling::Cancelled(cancel_word(why)))));
        }
        Ok(_) | Err(_) => return Some((held, Some(NoRuling::FrontGone))),
    };
    let Ok(sent) = b64_decode(&program.bytes) else { return Some((held, Some(NoRuling::FrontGone))) };
    fits(&sent, program.total_bytes)?;
    let bad = match program.end {
        ProgramEnd::Whole => None,
        ProgramEnd::TooLong => Some(NotProgram::TooLong),
        ProgramEnd::TooSlow(waited_s) => Some(NotProgram::TooSlow { waited_s }),
    };
    let held = beside_others(sent.len(), move || held.with_program(&sent, program.total_bytes, bad)).await?;
    Some((held, None))
}
