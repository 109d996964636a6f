//! A login across a restart of the daemon: what shows that the front that goes
//! on is the one that began, and what stays behind.

use super::event::Event;
use super::logins::{Login, Stage};
use super::time::Boot;
use crate::leads_to;
use crate::node::Node as _;
use crate::view::View;
use countersign_core::{Digest, SubmissionId};

/// What a login needs to be taken up again.
#[derive(Debug, Default)]
pub(super) struct Front {
    /// End of the front's chain of secrets; `None` where it cannot come back.
    anchor: Option<Digest>,
    /// Kind of the login and the boot it began in.
    lasts: bool,
    boot: Option<Boot>,
}

impl Front {
    pub fn opened(&mut self, event: &Event<'_>, body: &View<'_>) {
        let kind = body.get("kind").and_then(View::as_text);
        self.anchor = body.member("resume");
        self.lasts = kind == Some("interactive");
        self.boot = Some(event.at.boot);
    }
}

/// What is wrong with a `session_resumed`. `started` is L of the last
/// `host_started`.
pub(super) fn faults(
    login: &mut Login,
    event: &Event<'_>,
    body: &View<'_>,
    started: Option<Digest>,
) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if !login.orphaned {
        faults.push("the host has not started again since the login went on");
    }
    if started.is_none() || body.member("of") != started {
        faults.push("of is not the leaf hash of the last host_started");
    }
    if !login.front.lasts {
        faults.push("a login of this kind cannot be taken up again");
    }
    if login.front.boot != Some(event.at.boot) {
        faults.push("the login began in another boot, which no front outlives");
    }
    let key = body.member::<Digest>("key");
    if !key.zip(login.front.anchor).is_some_and(|(key, anchor)| leads_to(&key, &anchor)) {
        faults.push("key is no secret of the front that began the login");
    }
    let running = body.member::<SubmissionId>("running");
    let mut named = false;
    for (id, command) in &login.commands {
        match command.stage {
            Stage::Waiting => faults.push("a command that waited was not decided before"),
            Stage::Started { .. } if running == Some(*id) => named = true,
            Stage::Started { .. } => faults.push("a command that had started is not said to run"),
            Stage::Refused | Stage::LetRun { .. } | Stage::Finished => {}
        }
    }
    if running.is_some() && !named {
        faults.push("running names no command that had started");
    }
    login.front.anchor = key;
    login.orphaned = false;
    faults
}
