//! What would come of a line, in words.

use crate::hosts::Reach;
use crate::risk::{Touch, View};

/// Most sentences that are said.
const MOST: usize = 12;

/// The consequences of the commands of a line, each once, in their order.
pub(crate) fn of(views: &[View<'_>]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for view in views {
        for mut sentence in of_command(view, views) {
            if view.root {
                sentence.push_str(" as another user (root unless said otherwise)");
            }
            if view.remote {
                sentence.push_str(" on another host");
            }
            if !said.contains(&sentence) && said.len() < MOST {
                said.push(sentence);
            }
        }
    }
    said
}

fn of_command(view: &View<'_>, views: &[View<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    let paths = |touch: Touch| {
        view.touched
            .iter()
            .filter(move |t| t.touch == touch && !t.path.starts_with("/dev/null"))
            .map(|t| t.path.as_str())
    };
    for (touch, verb) in [(Touch::Delete, "deletes"), (Touch::Write, "writes")] {
        let list: Vec<&str> = paths(touch).take(3).collect();
        if !list.is_empty() {
            let more = if paths(touch).count() > 3 { " and more" } else { "" };
            said.push(format!("{verb} {}{more}", list.join(", ")));
        }
    }
    for reached in view.reached.iter().filter(|r| r.reach != Reach::Loopback).take(3) {
        let host = &reached.host;
        let fed = view.neighbours(views, false).next().is_some();
        said.push(match view.name {
            "curl" | "wget"
                if view.text.contains('@') || view.text.contains("-t ") || view.text.contains("--post-file") =>
            {
                format!("sends a file to {host}")
            }
            "nc" | "ncat" | "ssh" | "socat" if fed => format!("sends data to {host}"),
            "curl" | "wget" => format!("talks to {host}"),
            "ssh" | "mosh" => format!("signs in to {host}"),
            "scp" | "rsync" | "sftp" => format!("copies files to or from {host}"),
            name => format!("{name} talks to {host}"),
        });
    }
    let target = view.operands.get(1).copied().unwrap_or("");
    match (view.name, view.operands.first().copied().unwrap_or("")) {
        ("systemctl", verb @ ("start" | "stop" | "restart" | "enable" | "disable" | "mask")) => {
            said.push(format!("{verb}s service {target}"))
        }
        ("apt" | "apt-get" | "dnf" | "yum" | "apk" | "zypper", verb @ ("install" | "remove" | "purge" | "upgrade")) => {
            said.push(
                format!(
                    "{verb}s packages {}",
                    view.operands.iter().skip(1).take(4).copied().collect::<Vec<_>>().join(" ")
                )
                .trim_end()
                .to_owned(),
            );
        }
        ("useradd" | "adduser", _) => {
            said.push(format!("adds account {}", view.operands.last().copied().unwrap_or("")))
        }
        ("reboot" | "shutdown" | "poweroff" | "halt", _) => said.push("stops or restarts the machine".to_owned()),
        ("kill" | "pkill" | "killall", _) => {
            said.push(format!("ends processes {}", view.operands.join(" ")).trim_end().to_owned())
        }
        _ => {}
    }
    said
}
