//! The programs together, as people, agents, sshd and auditors meet them. Tests whose name begins with
//! `installed::` need root and run one at a time (`.config/nextest.toml`).

mod again;
mod authority;
mod bad_input;
mod bundles;
mod by_hand;
mod clocks;
mod descriptors;
mod disk;
mod doctor;
mod durable;
mod fail_closed;
mod foreign_bytes;
mod front;
mod front_faults;
mod installed;
mod interactive;
mod killed;
mod logs;
mod lost_key;
mod lying_front;
mod much_output;
mod past_cves;
mod players;
mod pruning;
mod quotas;
mod recording;
mod redaction;
mod removals;
mod samples;
mod screens;
mod signer;
mod trial;
mod under_load;
mod verify;
