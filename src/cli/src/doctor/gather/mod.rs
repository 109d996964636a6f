//! Gathering the facts. Reads files, asks a few programs of the system, the
//! daemon's socket and the service; judges nothing, changes nothing, and runs
//! or follows nothing that an agent controls.

mod accounts;
mod grants;
mod host;
mod jobs;
mod kernel;
mod later;
mod listeners;
mod logins;
mod others;
mod privileged;
mod program;
mod sshd;
mod walk;

pub use accounts::is_safe_name;
pub use grants::may_name;

use crate::args::Doctor;
use crate::doctor::facts::Facts;

/// Gathers everything.
pub async fn gather(args: &Doctor) -> Facts {
    let shell = host::shell_path();
    let mut names = args.agents.clone();
    if names.is_empty() {
        // Where this fails, account.agents says that there is none.
        names = accounts::gated(&shell).unwrap_or_default();
    }
    let (sshds, unchecked) = sshd::find(args.sshd.as_deref(), args.sshd_config.as_deref());
    let files = sshds.iter().map(|found| sshd::files(found, &names)).collect();
    let agents: Vec<_> = names.iter().map(|name| accounts::agent(name, &sshds)).collect();
    let probes = || agents.iter().flat_map(|agent| &agent.probes).filter_map(|probe| probe.settings.as_ref().ok());
    let service = probes().find_map(|settings| settings.one("pamservicename")).unwrap_or("sshd").to_owned();
    Facts {
        logins: logins::gather(files, unchecked, &service),
        program: host::program(shell),
        host: host::host().await,
        kernel: kernel::gather(),
        agents,
    }
}
