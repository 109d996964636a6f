//! Entry bytes, chain, signatures, journal and offline verification.
//!
//! The format is `docs/LEDGER.md`. Signed bytes are written by hand
//! ([`seal`]) and read by a scanner of their own ([`Line`]); a general JSON
//! parser sees only the openings and the trust file.
#![forbid(unsafe_code)]

#[cfg(feature = "authority")]
mod authority;
#[cfg(feature = "verify")]
pub mod bundle;
mod clock;
mod commit;
mod entry;
mod epoch;
mod gaps;
pub mod journal;
mod kind;
#[cfg(feature = "verify")]
mod known_head;
mod line;
mod node;
mod open_text;
mod openings;
#[cfg(feature = "authority")]
mod openssh;
mod removal;
mod resume;
mod scan;
mod seal;
mod signer;
mod sshsig;
mod statement;
pub mod tlog;
#[cfg(feature = "authority")]
mod trust;
mod utc;
mod value;
#[cfg(feature = "verify")]
pub mod verify;
mod view;

#[cfg(feature = "authority")]
pub use authority::{
    AUTHORITY_NAMESPACE, Admins, Authority, BadAuthority, BadReview, MAX_AUTHORITY_BYTES, Reviewed, review_value,
};
pub use clock::{Clock, ClockError, Now, SystemClock};
pub use commit::{RandomError, commitment, key_id, leaf_hash, random_bytes, sha256};
pub use entry::{Entry, Sess};
pub use epoch::{EPOCH_ENTRIES, EPOCH_US, Epoch, KeyFault, KeyRing, Rotation};
pub use gaps::{BadGaps, Gaps, GapsMaker, MAX_PROOF_BYTES};
pub use journal::{
    Committer, Done, Draft, HeadDone, JournalError, Limits, OpenLogin, Pruning, RecordedHour, Recovered, SignedHead,
    SpoolPlace, Torn, Written, finish_pruning, finish_removals, follow, for_each_line, plan_pruning, read_lines,
};
pub use kind::{Kind, UnknownKind};
#[cfg(feature = "verify")]
pub use known_head::{BadHead, KnownHead};
pub use line::{Line, MAX_LEAF_BYTES, MAX_LINE_BYTES};
pub use open_text::{OpenText, SignedText};
pub use openings::{BadCut, BadOpening, Opened, OpenedValue, Openings, cut_openings};
#[cfg(feature = "authority")]
pub use openssh::{BadSshKey, BadSshSignature, SshKey, SshSignature};
pub use removal::{Erased, REMOVAL_NAMESPACE, Removal, may_be_erased, removal_statement};
pub use resume::{RESUME_STEPS, ResumeChain, leads_to};
pub use scan::{BadLine, Fault};
pub use seal::{Header, SealError, Sealed, seal};
pub use signer::{
    EpochSigner, InProcessSigner, KeyFileError, RemoteSigner, SignError, Signer, refuse_signer, serve_signer,
};
pub use sshsig::{BadSignature, Namespace, allowed_signers_line, armored_signature, verify_digest, verify_signature};
pub use statement::{BadStatement, Statement};
#[cfg(feature = "authority")]
pub use trust::{RevokedKey, TrustError, TrustFile, TrustedHost, TrustedService};
pub use value::{BadValue, MAX_DEPTH, MAX_INT, Value, body};

#[cfg(test)]
mod tests;
