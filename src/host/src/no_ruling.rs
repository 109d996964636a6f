//! Lines that nobody rules on: the front gave up, nobody could be asked, or
//! nobody answered.

use crate::connection::Connection;
use crate::service::ServiceError;
use countersign_api::frame::BadFrame;
use countersign_api::front::{CancelWhy, FrontMessage, Submit};

/// Why there is no ruling.
pub(crate) enum NoRuling {
    Cancelled(&'static str),
    FrontGone,
    Failed { why: &'static str, reason: String },
    TimedOut,
}

/// Waits until the front gives up, goes away, or says something that is not
/// allowed while a line is held.
pub(crate) async fn given_up(connection: &mut Connection, submit: &Submit) -> NoRuling {
    given_up_by(connection.next().await, submit)
}

/// What a message means that comes in place of an expected one.
pub(crate) fn given_up_by(message: Result<Option<FrontMessage>, BadFrame>, submit: &Submit) -> NoRuling {
    match message {
        Ok(Some(FrontMessage::Cancel { nonce, why })) if nonce == submit.nonce => NoRuling::Cancelled(cancel_word(why)),
        Ok(_) | Err(_) => NoRuling::FrontGone,
    }
}

pub(crate) fn cancel_word(why: CancelWhy) -> &'static str {
    match why {
        CancelWhy::Hangup => "hangup",
        CancelWhy::Interrupt => "interrupt",
    }
}

pub(crate) const STOPPING: &str = "the daemon of this host is stopping; submit it again in a moment";

pub(crate) fn stopping() -> NoRuling {
    NoRuling::Failed { why: "host_stopping", reason: STOPPING.to_owned() }
}

pub(crate) fn failed(error: ServiceError) -> NoRuling {
    let why = match &error {
        ServiceError::Unreachable(_) => "service_unreachable",
        ServiceError::Refused { .. } | ServiceError::Conflict(_) | ServiceError::Held(_) => "service_refused",
        ServiceError::Local(_) => "host_failed",
        ServiceError::Malformed(_) => "reply_malformed",
    };
    NoRuling::Failed { why, reason: error.to_string() }
}

pub(crate) fn no_answer(wait_ms: u64) -> String {
    format!("nobody answered within {} s", wait_ms.div_ceil(1000))
}
