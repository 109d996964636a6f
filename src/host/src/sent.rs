//! A line as a front sent it, taken apart. What takes long is done beside the
//! other logins, and what fails in it ends this login alone.

use crate::daemon::Host;
use crate::submission::Asking;
use countersign_analysis::{Held, Place as Input, hold};
use countersign_api::front::Submit;
use countersign_core::{Transfer, b64_decode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Longest line, as it is sent, that is taken apart without giving way to others: a millisecond's work.
const AT_ONCE: usize = 1024;

/// A line as it came, taken apart.
pub(crate) struct Sent {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) held: Held,
    pub(crate) transfer: Option<Transfer>,
    pub(crate) cwd: Vec<u8>,
}

impl Sent {
    /// `None` where a front broke the protocol, or the line cannot be analysed.
    pub(crate) async fn read(host: &Host, asking: Asking<'_>, submit: &Submit) -> Option<Self> {
        let (bytes, cwd) = (b64_decode(&submit.command).ok()?, b64_decode(&submit.cwd).ok()?);
        fits(&bytes, submit.total_bytes)?;
        let (bytes, transfer) = (Arc::<[u8]>::from(bytes.as_slice()), Transfer::of(&bytes));
        let sent = Arc::clone(&bytes);
        let (terminal, nested) = (asking.terminal || asking.transfer, host.settings.nested);
        let (total, shell) = (submit.total_bytes, submit.inner_shell.clone());
        let held =
            beside_others(submit.command.len(), move || hold(&sent, total, Input { shell: &shell, terminal, nested }));
        Some(Self { bytes, held: held.await?, transfer, cwd })
    }
}

/// Nothing where a front sent more than it says that there is: the ledger has the length that it says.
pub(crate) fn fits(sent: &[u8], total_bytes: u64) -> Option<()> {
    u64::try_from(sent.len()).is_ok_and(|sent| sent <= total_bytes).then_some(())
}

/// Does work on so many bytes, on another thread where they are many. `None`
/// where it failed.
pub(crate) async fn beside_others<T: Send + 'static>(
    length: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match length {
        // What it had begun is dropped with it.
        0..=AT_ONCE => catch_unwind(AssertUnwindSafe(work)).ok(),
        _ => tokio::task::spawn_blocking(work).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[tokio::test]
    async fn what_fails_gives_nothing_and_harms_nobody() {
        for length in [0, AT_ONCE, AT_ONCE + 1, 1 << 20] {
            assert_eq!(beside_others(length, || 5).await, Some(5));
            assert_eq!(beside_others(length, || -> u8 { panic!("a defect") }).await, None, "{length}");
        }
    }

    /// On one thread: a line that ends only when others have gone on.
    #[tokio::test(flavor = "current_thread")]
    async fn a_long_line_holds_up_nobody_else() {
        let (go_on, told) = mpsc::channel();
        let line = tokio::spawn(beside_others(AT_ONCE + 1, move || told.recv_timeout(Duration::from_secs(20)).is_ok()));
        tokio::task::yield_now().await;
        go_on.send(()).unwrap();
        assert_eq!(line.await.unwrap(), Some(true), "nobody else ran before it ended");
    }
}
