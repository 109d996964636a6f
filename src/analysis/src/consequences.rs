//! What would come of a line, in words.

use crate::anomaly::New;
use crate::facts::{CommandLine, Place};
use crate::hosts::Reach;
use crate::risk::{Piped, Touch, View, Views, with_values};
use crate::starts::sets_a_prompt;

/// Most sentences that are said.
const MOST: usize = 12;
/// Most programs that are named as new.
const MOST_NEW: usize = 5;

/// The consequences of a line whose agent is known: what it has not done
/// before is said to be the first time.
pub fn consequences(line: &CommandLine, place: &Place<'_>, new: &New) -> Vec<String> {
    let spread = with_values(line);
    let mut said = of(&Views::of(spread.as_ref().unwrap_or(line), place), new);
    if sets_a_prompt(line) {
        said.push(
            "may make the shell run text by itself later, before each prompt or where it says something".to_owned(),
        );
    }
    said.extend(new.programs.iter().take(MOST_NEW).map(|program| format!("runs {program}, first time")));
    said
}

/// The consequences of the commands of a line, each once, in their order.
pub(crate) fn of(views: &Views<'_>, new: &New) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for view in views.iter() {
        for mut sentence in of_command(view, views, new) {
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

fn of_command(view: &View<'_>, views: &Views<'_>, new: &New) -> Vec<String> {
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
        let fed = views.is_piped_at_all(view, Piped::From);
        let first = if new.hosts.contains(host) { ", first time" } else { "" };
        let what = match view.name {
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
        };
        said.push(what + first);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// No flag says so: the line looks like one that shows something, or that reads a file.
    #[test]
    fn text_that_the_shell_runs_later_is_said() {
        let place = Place::default();
        let said = |line: &str| consequences(&crate::parse(line, &place), &place, &New::default());
        for line in ["echo \"${PS1:=$x}\"", "read PS1 < f", "PS1='\\044(x)'"] {
            assert!(said(line).iter().any(|text| text.starts_with("may make the shell run text")), "{line}");
        }
        assert!(said("PS1='> '").is_empty());
    }

    #[test]
    fn the_first_time_is_said() {
        let place = Place::default();
        let said = |new: &New| {
            let line = "curl -T /srv/x 203.0.113.9; nmap 198.51.100.1";
            consequences(&crate::parse(line, &place), &place, new)
        };
        assert!(!said(&New::default()).iter().any(|text| text.contains("first time")));
        let new = New { programs: vec!["nmap".to_owned()], hosts: vec!["203.0.113.9".to_owned()] };
        let said = said(&new);
        assert!(said.contains(&"sends a file to 203.0.113.9, first time".to_owned()), "{said:?}");
        assert!(said.contains(&"runs nmap, first time".to_owned()), "{said:?}");
        assert!(!said.iter().any(|text| text.contains("198.51.100.1, first time")), "{said:?}");
    }
}
