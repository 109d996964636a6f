//! The checks: facts in, findings out. No I/O.

mod account;
mod grants;
mod host;
mod kernel;
mod logins;
mod privileged;
mod program;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod spoiled;
mod sshd;

use super::catalogue::{ALL, Check};
use super::facts::{Facts, Known};
use super::finding::Finding;

/// All findings, in the order of the catalogue.
pub fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = account::check(facts);
    findings.extend(sshd::check(facts));
    findings.extend(logins::check(facts));
    findings.extend(program::check(facts));
    findings.extend(host::check(facts));
    findings.extend(kernel::check(facts));
    findings.sort_by_key(|finding| ALL.iter().position(|check| *check == finding.check));
    findings
}

/// Judges what is known; what is not is `unknown`.
fn known<T>(check: &'static Check, fact: &Known<T>, judge: impl FnOnce(&T) -> Finding) -> Finding {
    match fact {
        Ok(fact) => judge(fact),
        Err(why) => check.unknown(why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_host_as_documented_is_in_order_in_every_check() {
        let findings = all(&sample::facts());
        for finding in &findings {
            assert_eq!(finding.state, State::Ok, "{}: {}", finding.check.id, finding.found);
        }
        for check in ALL {
            assert!(findings.iter().any(|finding| finding.check == *check), "{} is never looked at", check.id);
        }
    }
}
