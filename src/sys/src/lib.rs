//! What Countersign needs of Linux. The only crate with `unsafe` code, and it
//! knows nothing of Countersign: no ids, no commands, no messages.
//!
//! Every `unsafe` block is one call with a SAFETY sentence. `nix` is used
//! wherever it has the call.

pub mod apart;
pub mod clock;
pub mod descriptors;
pub mod directory;
pub mod errand;
pub mod files;
pub mod identity;
pub mod inherited;
pub mod mapped;
pub mod process;
pub mod sandbox;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod terminal;

pub use clock::{boot_id, boottime_us, realtime_us};
pub use descriptors::{
    Ready, Wanted, close_from_3, duplicate, ensure_standard, pipe, pipe_read_twice, poll, poll_by, set_nonblocking,
    sleep_ms, write_now,
};
pub use directory::working_directory;
pub use files::{Untrusted, free_bytes, open_trusted, trust_place, trusted_directory, trusted_target};
pub use identity::{Account, Uids, account_by_name, account_by_uid, at_secure, set_effective_uid, set_uids, uids};
pub use inherited::{Inherited, clear_environment, reset_scheduling, stop_timers};
pub use mapped::Mapped;
pub use process::{Forked, children, dumpable_off, end_tree, fork, parent_death_signal, reap, subreaper};
pub use socket::{
    Peer, finish_sending, know_senders, peer, recv_from_process, recv_message, recv_with_fds, send_now, send_with_fd,
    seqpacket_pair, waits_unread,
};
