//! Checks of the daemon, its files and its service.

use super::account::said;
use super::known;
use crate::doctor::catalogue::{self as c, Check};
use crate::doctor::facts::{Facts, Kind, Known, Password, Walk, weak};
use crate::doctor::finding::Finding;

/// Below this the daemon refuses new commands, in bytes.
const RESERVE: u64 = 32 * 1024 * 1024;
const DAEMON: &str = "countersign-hostd";

/// All of them.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let daemon = facts.user(DAEMON);
    let host = &facts.host;
    let enrolled = host.enrolled.as_ref().map(|(walk, _)| walk.clone()).map_err(Clone::clone);
    vec![
        users(facts),
        config(facts),
        socket(facts, daemon),
        known(&c::SOCKET_DIR, &host.socket_walk, |walk| match weak(walk.parents(), daemon.as_slice()) {
            Some(why) => c::SOCKET_DIR.open(why),
            None => c::SOCKET_DIR.ok("root's and the daemon's alone"),
        }),
        known(&c::PROGRAM, &host.program, |walk| match walk.weak(&[]) {
            Some(why) => c::PROGRAM.open(why),
            None if !walk.there => c::PROGRAM
                .open("it is not installed")
                .mended_by("install -m 0755 target/release/countersign-hostd /usr/bin/ (docs/OPERATIONS.md)"),
            None => c::PROGRAM.ok(walk.target().map(|node| node.path.display().to_string()).unwrap_or_default()),
        }),
        private(&c::STATE_DIR, &host.state, daemon, Kind::Directory, 0o700),
        private(&c::KEY, &host.key, daemon, Kind::File, 0o400),
        match private(&c::ENROLLED, &enrolled, daemon, Kind::File, 0o600) {
            found if found.fails() => found,
            found if host.enrolled.as_ref().is_ok_and(|(_, trial)| *trial) => {
                c::ENROLLED.open(format!("{}: enrolled as a trial", found.found))
            }
            found => found,
        },
        known(&c::LOCK, &host.lock, |pid| match (pid, &host.listener) {
            (None, _) => c::LOCK.open("nobody holds it"),
            (Some(pid), Ok(Some(listener))) if listener.pid != *pid && listener.pid != 0 => {
                c::LOCK.open(format!("process {pid} holds it, and process {} listens", listener.pid))
            }
            (Some(pid), _) => c::LOCK.ok(format!("held by process {pid}")),
        }),
        known(&c::SYSTEM_FILES, &host.system_files, |files| match files.iter().find_map(|file| file.weak(&[])) {
            Some(why) => c::SYSTEM_FILES.open(why),
            None => c::SYSTEM_FILES.ok(format!("{} of them are root's alone", files.len())),
        }),
        super::privileged::check(facts),
        known(&c::SPACE, &host.free_bytes, |free| {
            c::SPACE.judge(*free > RESERVE, format!("{} MiB free", free / 1024 / 1024))
        }),
        known(&c::SCARCE, &host.free_bytes, |free| {
            let keep = host.config.as_ref().map_or(0, |config| config.keep_free_bytes);
            // Below the reserve it is host.space.
            let scarce = (RESERVE..keep).contains(free);
            c::SCARCE.judge(!scarce, format!("{} MiB free, {} wanted", free / 1024 / 1024, keep / 1024 / 1024))
        }),
        known(&c::SERVICE, &host.service, |answer| match answer {
            Ok(text) => c::SERVICE.ok(text.clone()),
            Err(why) => c::SERVICE.open(why.clone()),
        }),
    ]
}

fn users(facts: &Facts) -> Finding {
    let mut uids = Vec::new();
    for user in &facts.host.users {
        let name = user.name;
        let Some((uid, shell, password)) = &user.entry else {
            return c::USERS.open(format!("there is no account {name}")).mended_by("systemd-sysusers");
        };
        if *uid == 0 || uids.contains(uid) {
            return c::USERS
                .open(format!("{name} shares the uid {uid}"))
                .mended_by(format!("usermod -u UNUSED_UID {name}"));
        }
        uids.push(*uid);
        let shell = shell.display().to_string();
        if !(shell.ends_with("/nologin") || shell.ends_with("/false")) {
            let mend = format!("usermod -s /usr/sbin/nologin {name}");
            return c::USERS.open(format!("{name} has the login shell {shell}")).mended_by(mend);
        }
        match password {
            Err(why) => return c::USERS.unknown(why.clone()),
            Ok(Password::Locked) => {}
            Ok(password @ (Password::Set | Password::Empty | Password::Missing)) => {
                return c::USERS.open(format!("{name}: {}", said(*password))).mended_by(format!("passwd -l {name}"));
            }
        }
    }
    c::USERS.ok("countersign, countersign-hostd: distinct, no login")
}

fn config(facts: &Facts) -> Finding {
    let config = match &facts.host.config {
        Ok(config) => config,
        Err(why) if facts.host.config_walk.is_err() => return c::HOST_CONFIG.unknown(why.clone()),
        Err(why) => return c::HOST_CONFIG.open(why.clone()),
    };
    if config.front_user != "countersign" {
        return c::HOST_CONFIG.open(format!("front_user is {}, not countersign", config.front_user));
    }
    match &facts.program.config {
        Ok(shell) if shell.socket != config.socket => c::HOST_CONFIG.open(format!(
            "the daemon listens on {}, and the login shell connects to {}",
            config.socket.display(),
            shell.socket.display()
        )),
        Ok(_) | Err(_) => c::HOST_CONFIG.ok(format!("state {}", config.state_dir.display())),
    }
}

fn socket(facts: &Facts, daemon: Option<u32>) -> Finding {
    known(&c::SOCKET, &facts.host.listener, |listener| match (listener, daemon) {
        (None, _) => c::SOCKET.open("nobody listens there"),
        (Some(_), None) => c::SOCKET.open("there is no account countersign-hostd"),
        (Some(listener), Some(daemon)) if listener.uid == daemon => {
            c::SOCKET.ok(format!("process {} of {DAEMON} listens", listener.pid))
        }
        (Some(listener), Some(_)) => {
            c::SOCKET.open(format!("process {} of uid {} listens there, not {DAEMON}", listener.pid, listener.uid))
        }
    })
}

/// Something that must be the daemon's, of this kind and mode, below directories that are root's or the daemon's.
fn private(check: &'static Check, walk: &Known<Walk>, daemon: Option<u32>, kind: Kind, mode: u32) -> Finding {
    known(check, walk, |walk| {
        let Some(node) = walk.target() else {
            let enrol = "countersign enroll (docs/OPERATIONS.md; where it was there before: \"A lost identity key\")";
            return check.open("it does not exist").mended_by(enrol);
        };
        let found = format!("{} uid {} mode {:04o}", node.path.display(), node.uid, node.mode);
        if node.kind != kind {
            return check.open(format!("{found}: not a {}", if kind == Kind::File { "file" } else { "directory" }));
        }
        if let Some(why) = weak(walk.parents(), daemon.as_slice()) {
            return check.open(why);
        }
        let right = Some(node.uid) == daemon && node.mode == mode;
        check.judge(right, if right { found } else { format!("{found}; due is {DAEMON} {mode:04o}") })
    })
}
