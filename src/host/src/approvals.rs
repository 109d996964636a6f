//! What was approved last at a path: remembered while the daemon runs, so that
//! a reviewer is told that a script is not the one that was let run before.

use countersign_api::context::{FileSeen, Script};
use countersign_core::Digest;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most paths that are remembered, of all agents together.
const MAX_PATHS: usize = 4096;

/// Digests by agent and path.
#[derive(Default)]
pub(crate) struct Approvals {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    digests: HashMap<(u32, PathBuf), Digest>,
    order: VecDeque<(u32, PathBuf)>,
}

impl Approvals {
    /// Whether this digest differs from what was let run last; `None` where nothing was.
    pub(crate) fn differs(&self, uid: u32, path: &Path, digest: &Digest) -> Option<bool> {
        self.lock().digests.get(&(uid, path.to_owned())).map(|known| known != digest)
    }

    /// Remembers what a released line runs.
    pub(crate) fn remember(&self, uid: u32, cwd: &Path, scripts: &[Script]) {
        let mut known = self.lock();
        for script in scripts {
            let FileSeen::Read { digest, .. } = &script.file else { continue };
            let key = (uid, cwd.join(&script.path));
            if known.digests.insert(key.clone(), *digest).is_none() {
                known.order.push_back(key);
            }
            while known.order.len() > MAX_PATHS {
                let Some(oldest) = known.order.pop_front() else { break };
                known.digests.remove(&oldest);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(path: &str, digest: u8) -> Script {
        let file = FileSeen::Read { size: 1, digest: Digest([digest; 32]), excerpt: String::new() };
        Script { path: path.to_owned(), file, changed: None }
    }

    #[test]
    fn remembers_a_bounded_number_of_digests() {
        let approvals = Approvals::default();
        let (cwd, path) = (Path::new("/srv"), Path::new("/srv/x.sh"));
        assert_eq!(approvals.differs(7, path, &Digest([1; 32])), None);
        approvals.remember(7, cwd, &[script("x.sh", 1)]);
        assert_eq!(approvals.differs(7, path, &Digest([1; 32])), Some(false));
        assert_eq!(approvals.differs(7, path, &Digest([2; 32])), Some(true));
        assert_eq!(approvals.differs(8, path, &Digest([1; 32])), None, "another agent's");
        for n in 0..MAX_PATHS {
            approvals.remember(7, cwd, &[script(&format!("{n}"), 1)]);
        }
        assert_eq!(approvals.differs(7, path, &Digest([1; 32])), None, "the oldest goes");
        assert_eq!(approvals.lock().digests.len(), MAX_PATHS);
    }
}
