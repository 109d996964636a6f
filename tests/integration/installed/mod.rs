//! The product as it is installed: setuid, own accounts, TLS, a real sshd. One fixture a test, each in a mount
//! namespace of its own.

mod accounts;
mod attacks;
mod channels;
mod checkpoints;
mod commands;
mod context;
mod driven;
mod enrolling;
mod environment;
mod hang_up;
mod hidden_proc;
mod identity;
mod interactive;
mod nested;
mod nested_identity;
mod pinned;
mod preloaded;
mod programs;
mod rsync_git;
mod scripts;
mod sftp;
mod sftp_names;
mod storms;
mod transfers;
