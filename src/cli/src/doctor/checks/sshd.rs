//! Checks of what each sshd lets an agent do.

use crate::doctor::catalogue::{self as c, Check};
use crate::doctor::facts::{Account, Agent, Facts, Known, Probe, Settings, SshdFiles, Walk, same_file};
use crate::doctor::finding::{Finding, State};

/// Keywords that must have one value.
static FIXED: [(&Check, &str, &str); 11] = [
    (&c::DISABLE_FORWARDING, "disableforwarding", "yes"),
    (&c::TCP_FORWARDING, "allowtcpforwarding", "no"),
    (&c::STREAM_FORWARDING, "allowstreamlocalforwarding", "no"),
    (&c::AGENT_FORWARDING, "allowagentforwarding", "no"),
    (&c::X11_FORWARDING, "x11forwarding", "no"),
    (&c::GATEWAY_PORTS, "gatewayports", "no"),
    (&c::PERMIT_LISTEN, "permitlisten", "none"),
    (&c::PERMIT_OPEN, "permitopen", "none"),
    (&c::PERMIT_TUNNEL, "permittunnel", "no"),
    (&c::USER_RC, "permituserrc", "no"),
    (&c::USER_ENVIRONMENT, "permituserenvironment", "no"),
];
/// Ways to authenticate that leave no key in the record.
const KEYLESS: [&str; 5] = [
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "hostbasedauthentication",
    "gssapiauthentication",
    "kerberosauthentication",
];
/// Keywords that a Match block by address or the like must leave alone.
const GUARDED: [&str; 18] = [
    "forcecommand",
    "authorizedkeysfile",
    "authorizedkeyscommand",
    "authorizedprincipalsfile",
    "acceptenv",
    "setenv",
    "chrootdirectory",
    "subsystem",
    "trustedusercakeys",
    "permitemptypasswords",
    "streamlocalbindunlink",
    "authorizedkeyscommanduser",
    "permittty",
    "authorizedprincipalscommand",
    "authorizedprincipalscommanduser",
    "revokedkeys",
    "hostbasedauthentication",
    "ignorerhosts",
];

/// Every agent at every sshd.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    for agent in &facts.agents {
        let account = agent.account.as_ref().ok().and_then(Option::as_ref);
        let config = vec![readable(agent, &facts.logins.sshd), conditional(&facts.logins.sshd)];
        let found = config.into_iter().chain(of_probes(facts, agent, account));
        all.extend(found.map(|finding| finding.about(&agent.name)));
    }
    let unchecked = &facts.logins.unchecked;
    all.push(match unchecked.here.is_empty() {
        true => c::UNCHECKED.ok("none"),
        false => c::UNCHECKED.undecided(unchecked.here.join("; ")),
    });
    let none = unchecked.elsewhere.is_empty();
    all.push(c::OTHER_SSHD.judge(none, if none { "none".to_owned() } else { unchecked.elsewhere.join("; ") }));
    all
}

fn readable(agent: &Agent, sshd: &[SshdFiles]) -> Finding {
    if let Some(why) = agent.probes.iter().find_map(|probe| probe.settings.as_ref().err()) {
        return c::SSHD_CONFIG.unknown(why.clone());
    }
    for one in sshd {
        match &one.files {
            Err(why) => return c::SSHD_CONFIG.unknown(why.clone()),
            Ok(files) => {
                if let Some(why) = files.iter().find_map(|file| file.walk.weak(&[])) {
                    return c::SSHD_CONFIG
                        .open(why)
                        .mended_by("chown root:root and chmod go-w the file and the directories above it");
                }
            }
        }
    }
    let names: Vec<&str> = sshd.iter().map(|one| one.config.as_str()).collect();
    let found = if names.is_empty() {
        "no configuration to read".to_owned()
    } else {
        format!("read from {}", names.join(", "))
    };
    c::SSHD_CONFIG.judge(!agent.probes.is_empty(), found)
}

fn conditional(sshd: &[SshdFiles]) -> Finding {
    let guarded = |word: &&String| GUARDED.contains(&word.as_str()) || FIXED.iter().any(|(_, fixed, _)| word == fixed);
    for block in sshd.iter().flat_map(|one| &one.conditional) {
        let sets: Vec<&str> = block.sets.iter().filter(guarded).map(String::as_str).collect();
        if !sets.is_empty() {
            return c::MATCH.undecided(format!("`{}` sets {}", block.line, sets.join(", ")));
        }
    }
    if let Some(why) = sshd.iter().find_map(|one| one.files.as_ref().err()) {
        return c::MATCH.unknown(why.clone());
    }
    c::MATCH.ok("no Match block by address or the like sets these options")
}

fn of_probes(facts: &Facts, agent: &Agent, account: Option<&Account>) -> Vec<Finding> {
    let ours = [Some(facts.program.path.display().to_string()), account.map(|a| a.shell.display().to_string())];
    let forced = |settings: &Settings| {
        settings.one("forcecommand").is_some_and(|line| ours.iter().flatten().any(|own| own == line))
    };
    let gated = account.is_some_and(|account| match (&account.shell_walk, &facts.program.walk) {
        (Ok(own), Ok(installed)) => same_file(own, installed),
        (Err(_), _) | (_, Err(_)) => false,
    });
    let path = facts.program.path.display();
    let force = format!("in sshd's block for countersign-agents: ForceCommand {path}; then: systemctl reload ssh");
    let mut all = vec![
        worst(agent, &c::FORCE_COMMAND, |_, settings| {
            let line = settings.one("forcecommand").unwrap_or("none");
            c::FORCE_COMMAND.judge(forced(settings), format!("ForceCommand {line}"))
        })
        .mended_by(force.clone()),
        worst(agent, &c::SUBSYSTEM, |_, settings| subsystem(settings, forced(settings), gated)).mended_by(force),
        worst(agent, &c::ACCEPT_ENV, |_, settings| accept_env(settings)).mended_by(in_block(&c::ACCEPT_ENV)),
        worst(agent, &c::AUTHENTICATION, |_, settings| {
            let on: Vec<&str> =
                KEYLESS.into_iter().filter(|word| settings.one(word).is_some_and(|v| v != "no")).collect();
            c::AUTHENTICATION.judge(
                on.is_empty(),
                if on.is_empty() { "keys and certificates only".to_owned() } else { format!("{} yes", on.join(", ")) },
            )
        }),
        worst(agent, &c::AUTHORIZED_KEYS, |probe, _| files(&c::AUTHORIZED_KEYS, &probe.keys))
            .mended_by(in_block(&c::AUTHORIZED_KEYS)),
        worst(agent, &c::PRINCIPALS, |probe, _| files(&c::PRINCIPALS, &probe.principals))
            .mended_by(in_block(&c::PRINCIPALS)),
        worst(agent, &c::AUTHORITIES, |probe, _| files(&c::AUTHORITIES, &probe.authorities)),
        worst(agent, &c::KEYS_COMMAND, |probe, settings| {
            let user = settings.one("authorizedkeyscommanduser");
            command(&c::KEYS_COMMAND, probe.keys_command.as_deref(), user, &agent.name)
        }),
        worst(agent, &c::PRINCIPALS_COMMAND, |probe, settings| {
            let user = settings.one("authorizedprincipalscommanduser");
            command(&c::PRINCIPALS_COMMAND, probe.principals_command.as_deref(), user, &agent.name)
        }),
        worst(agent, &c::HOSTBASED, |_, settings| {
            let on = settings.one("hostbasedauthentication").is_some_and(|value| value != "no");
            let read = settings.one("ignorerhosts").unwrap_or("not reported");
            c::HOSTBASED.judge(
                !on || read == "yes",
                format!("IgnoreRhosts {read}, hostbased {}", if on { "on" } else { "off" }),
            )
        })
        .mended_by(in_block(&c::HOSTBASED)),
        worst(agent, &c::CHROOT, |_, settings| {
            let value = settings.one("chrootdirectory").unwrap_or("none");
            c::CHROOT.judge(value == "none", format!("ChrootDirectory {value}"))
        })
        .mended_by(in_block(&c::CHROOT)),
    ];
    for (check, keyword, wanted) in &FIXED {
        let found = worst(agent, check, |_, settings| {
            let value = settings.one(keyword).unwrap_or("not reported");
            check.judge(value == *wanted, format!("{keyword} {value}"))
        });
        let line = if *keyword == "permituserenvironment" {
            // Not allowed inside of a Match block.
            "before every Match block of sshd_config: PermitUserEnvironment no; then: systemctl reload ssh".to_owned()
        } else {
            in_block(check)
        };
        all.push(found.mended_by(line));
    }
    all
}

fn in_block(check: &Check) -> String {
    format!("in sshd's block for countersign-agents: {}; then: systemctl reload ssh", check.mend)
}

/// The worst that any sshd says from any address.
fn worst(agent: &Agent, check: &'static Check, judge: impl Fn(&Probe, &Settings) -> Finding) -> Finding {
    let one = |probe: &Probe| match &probe.settings {
        Err(_) => check.unknown("sshd's configuration is not known: see sshd.config"),
        Ok(settings) => {
            let mut found = judge(probe, settings);
            if found.state != State::Ok {
                found.found = format!("{} ({}, client {})", found.found, probe.config, probe.address);
            }
            found
        }
    };
    let all = agent.probes.iter().map(one);
    all.min_by_key(|found| found.state).unwrap_or_else(|| check.unknown("no sshd was asked"))
}

fn subsystem(settings: &Settings, forced: bool, gated: bool) -> Finding {
    let lines: Vec<&String> = settings.0.get("subsystem").into_iter().flatten().collect();
    let internal = lines.iter().find(|line| line.split_whitespace().nth(1) == Some("internal-sftp"));
    match (lines.first(), internal) {
        (None, _) => c::SUBSYSTEM.ok("no subsystem"),
        (Some(_), _) if forced => c::SUBSYSTEM.ok("ForceCommand takes every subsystem to the gate"),
        (Some(_), Some(line)) => {
            c::SUBSYSTEM.open(format!("Subsystem {line} is served without the gate: no ForceCommand takes it there"))
        }
        (Some(line), None) => c::SUBSYSTEM.judge(gated, format!("Subsystem {line} is started through the login shell")),
    }
}

fn accept_env(settings: &Settings) -> Finding {
    let fine =
        |word: &str| word == "none" || word == "LANG" || word.starts_with("LC_") || word.starts_with("COUNTERSIGN_");
    let bad: Vec<&str> = settings.words("acceptenv").filter(|word| !fine(word)).collect();
    if bad.is_empty() {
        let all: Vec<&str> = settings.words("acceptenv").collect();
        return c::ACCEPT_ENV.ok(if all.is_empty() { "none".to_owned() } else { all.join(" ") });
    }
    c::ACCEPT_ENV.open(format!("AcceptEnv takes {}", bad.join(" ")))
}

/// Files that must be root's with everything above them, there or not.
fn files(check: &'static Check, walks: &[Known<Walk>]) -> Finding {
    let mut shown = Vec::new();
    for walk in walks {
        let walk = match walk {
            Err(why) => return check.unknown(why.clone()),
            Ok(walk) => walk,
        };
        if let Some(why) = walk.weak(&[]) {
            return check.open(why);
        }
        shown.extend(walk.nodes.last().map(|node| node.path.display().to_string()));
    }
    check.ok(if shown.is_empty() { "none".to_owned() } else { format!("root's alone: {}", shown.join(", ")) })
}

/// A program that says who gets in: it and every file that it is told of.
fn command(check: &'static Check, walks: Option<&[Known<Walk>]>, user: Option<&str>, agent: &str) -> Finding {
    let Some(walks) = walks else { return check.ok("none") };
    let user = user.unwrap_or("none");
    if user == agent || user.contains('%') {
        return check.open(format!("it runs as {user}"));
    }
    let found = files(check, walks);
    match (found.state, walks.first()) {
        (State::Ok, Some(Ok(program))) if program.there => found,
        (State::Ok, _) => check.open("the program does not exist"),
        _ => found,
    }
}
