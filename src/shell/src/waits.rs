//! What the client of a login of one command is told while that waits, where the host's settings say so: its output is
//! read by programs, so that nothing is said unasked.

use crate::end::say;
use crate::login::Login;
use crate::settings::Notice;
use countersign_api::front::HostMessage;
use countersign_sys as sys;

impl Notice {
    /// Whether a login is told, which has a terminal or not.
    pub(crate) fn is_for(self, terminal: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Terminal => terminal,
            Self::Always => true,
        }
    }
}

impl Login {
    /// Says once on standard error that the command waits, for whom and for how long.
    pub(crate) fn told(&mut self, message: HostMessage) -> HostMessage {
        if let HostMessage::Pending { id, asked, deadline_us, .. } = &message
            && std::mem::take(&mut self.tells)
        {
            let left_s = deadline_us.saturating_sub(sys::boottime_us().unwrap_or(*deadline_us)).div_ceil(1_000_000);
            let who = if asked.is_empty() {
                "nobody is there to ask yet".to_owned()
            } else {
                format!("asking {}", asked.join(", "))
            };
            // The terminal is raw by now.
            let end = if self.pty.is_some() { "\r\n" } else { "\n" };
            say(&format!("held {id}; {who}; {left_s} s left"), end);
        }
        message
    }
}
