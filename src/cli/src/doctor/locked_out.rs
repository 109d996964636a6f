//! `--locked-out`: what to look at first when nobody gets in, in this order.

use super::catalogue::{self as c, Check};
use super::finding::{Finding, State, together};
use crate::failure::Failure;
use crate::screen::show;
use countersign_core::legible;

/// One step: what to ask, how to look, and the checks that answer it.
struct Step {
    ask: &'static str,
    look: &'static str,
    checks: &'static [&'static Check],
}

static STEPS: [Step; 9] = [
    Step {
        ask: "Get in yourself: by your own account that is not gated, or the console. No flag opens the gate.",
        look: "ssh YOU@HOST; the agents' gate stays closed meanwhile",
        checks: &[],
    },
    Step {
        ask: "Does sshd let people in at all?",
        look: "systemctl status ssh; journalctl -u ssh -n 50; sshd -t",
        checks: &[&c::SSHD_CONFIG, &c::NOLOGIN, &c::AUTHORIZED_KEYS, &c::EXPIRED],
    },
    Step {
        ask: "Does the account reach the login shell?",
        look: "getent passwd AGENT; id AGENT",
        checks: &[&c::EXISTS, &c::LOGIN_SHELL, &c::MEMBER],
    },
    Step {
        ask: "Can the login shell start? (exit 126 from sshd, or 78 with a line that says what to do)",
        look: "ls -l /usr/bin/countersign-sh; findmnt -T /usr/bin",
        checks: &[&c::SHELL_FILE, &c::SHELL_MOUNT, &c::SHELL_PARENTS, &c::SHELL_CONFIG, &c::INNER_SHELL],
    },
    Step {
        ask: "Does the daemon run? (exit 69, `cannot reach countersign-hostd`)",
        look: "systemctl status countersign-hostd; journalctl -u countersign-hostd -n 50",
        checks: &[&c::SOCKET, &c::HOST_CONFIG, &c::USERS, &c::SOCKET_DIR, &c::PROGRAM],
    },
    Step {
        ask: "Can it write the ledger? (a damaged journal: keep the directory, see OPERATIONS.md)",
        look: "df -h /var/lib/countersign; countersign verify /var/lib/countersign/host",
        checks: &[&c::SPACE, &c::STATE_DIR, &c::KEY, &c::LOCK],
    },
    Step {
        ask: "Does it reach the service that it is enrolled with?",
        look: "countersign doctor, host.service; on the service: systemctl status countersign-server",
        checks: &[&c::ENROLLED, &c::SERVICE],
    },
    Step {
        ask: "Is the clock right? (certificates of ssh and their times)",
        look: "timedatectl",
        checks: &[&c::CLOCK],
    },
    Step {
        ask: "Does anybody decide? (exit 126 `timed_out`)",
        look: "countersign pending, as a reviewer",
        checks: &[],
    },
];

/// Prints the steps with what the checks found. Answers whether a step fails.
pub fn as_text(findings: &[Finding]) -> Result<bool, Failure> {
    let mut text = String::new();
    let mut fails = false;
    for (number, step) in STEPS.iter().enumerate() {
        text.push_str(&format!("{}. {}\n   look: {}\n", number + 1, step.ask, step.look));
        for group in together(of(step, findings).filter(|finding| finding.state != State::Ok)) {
            fails |= group.iter().any(|finding| finding.fails());
            let Some(first) = group.first() else { continue };
            let names: Vec<String> = group.iter().map(|finding| legible(&finding.name())).collect();
            text.push_str(&format!("   {} {}: {}\n", first.state.as_str(), names.join(", "), legible(&first.found)));
            text.push_str(&format!("   mend: {}\n", legible(&first.mend)));
        }
    }
    show(&text)?;
    Ok(fails)
}

/// The findings that the steps are about, in their order.
pub fn relevant(findings: &[Finding]) -> Vec<Finding> {
    STEPS.iter().flat_map(|step| of(step, findings)).cloned().collect()
}

fn of<'a>(step: &'static Step, findings: &'a [Finding]) -> impl Iterator<Item = &'a Finding> {
    step.checks.iter().flat_map(move |check| findings.iter().filter(move |finding| finding.check == *check))
}
