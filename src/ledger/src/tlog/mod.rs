//! The ledger as a transparency log: the RFC 6962 tree over its leaves, and
//! the C2SP forms that stock witnesses and monitors read: signed notes,
//! checkpoints, cosignatures.
//!
//! Pure functions over bytes; no I/O, no clock, ring for hash and signature.

mod checkpoint;
pub(crate) mod note;
mod proof;
mod stamp;
mod tree;

pub use checkpoint::{BadCheckpoint, Checkpoint, Origin};
pub use note::{BadNote, KeyKind, Note, NoteKey, NoteSignature};
pub use proof::{
    BadProof, Node, consistency_nodes, consistency_proof, fold_nodes, inclusion_nodes, inclusion_proof,
    verify_consistency, verify_inclusion,
};
pub use stamp::{BadStamp, NoteText, ServiceStamp};
pub use tree::{Frontier, Subtree, empty_root, node_hash, root_of};
