//! Every check by its id: how much it weighs, what it means, how it is mended.
//! `docs/DOCTOR.md` holds the same rows; a test compares them.

use super::finding::{Finding, State};

/// The remedy where the state itself is not known.
const FIND_OUT: &str = "put right what keeps this from being known, then run doctor again, as root";

/// What a check that is not in order amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A way around the gate, or a gate that cannot work. What cannot be shown closed counts as open.
    Hole,
    /// Worth knowing; the gate holds without it.
    Warning,
}

impl Weight {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hole => "hole",
            Self::Warning => "warning",
        }
    }
}

/// One host assumption. The text before the first dot of `id` is its group.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable name.
    pub id: &'static str,
    /// What it amounts to when it is not in order.
    pub weight: Weight,
    /// What it means, in one sentence.
    pub means: &'static str,
    /// How to mend it; `AGENT` stands for the account.
    pub mend: &'static str,
}

impl Check {
    /// In order.
    pub fn ok(&'static self, found: impl Into<String>) -> Finding {
        Finding::new(self, State::Ok, found.into())
    }

    /// Not in order: a hole or a warning, by its weight.
    pub fn open(&'static self, found: impl Into<String>) -> Finding {
        let state = match self.weight {
            Weight::Hole => State::Hole,
            Weight::Warning => State::Warning,
        };
        Finding::new(self, state, found.into())
    }

    /// Not to be told.
    pub fn unknown(&'static self, why: impl Into<String>) -> Finding {
        Finding { mend: FIND_OUT.to_owned(), ..Finding::new(self, State::Unknown, why.into()) }
    }

    /// Not to be told by looking: a person must judge it, and mend it as the catalogue says.
    pub fn undecided(&'static self, why: impl Into<String>) -> Finding {
        Finding::new(self, State::Unknown, why.into())
    }

    /// In order, or not.
    pub fn judge(&'static self, in_order: bool, found: impl Into<String>) -> Finding {
        if in_order { self.ok(found) } else { self.open(found) }
    }
}

macro_rules! checks {
    ($($name:ident $id:literal $weight:ident $means:literal $mend:literal;)*) => {
        $(#[doc = $means] pub static $name: Check =
            Check { id: $id, weight: Weight::$weight, means: $means, mend: $mend };)*
        /// All of them, in the order in which they are shown.
        pub static ALL: &[&Check] = &[$(&$name),*];
    };
}

checks! {
    AGENTS "account.agents" Hole
        "Without a gated account there is nothing that the other checks could be about."
        "useradd -m -s /usr/bin/countersign-sh -G countersign-agents AGENT";
    EXISTS "account.exists" Hole
        "An account that does not exist is not gated when somebody makes it later."
        "useradd -m -s /usr/bin/countersign-sh -G countersign-agents AGENT";
    LOGIN_SHELL "account.shell" Hole
        "With another login shell its start-up files and every login that is not sshd's run before or without the gate."
        "usermod -s /usr/bin/countersign-sh AGENT";
    UID "account.uid" Hole
        "A uid that is root's, a daemon's or another account's as well makes the agent that account."
        "usermod -u UNUSED_UID AGENT";
    MEMBER "account.member" Hole
        "Only members of countersign-agents are matched by sshd's block and may start the login shell."
        "usermod -aG countersign-agents AGENT";
    GROUPS "account.groups" Hole
        "Members of these groups can become root, or read and write what the gate protects."
        "gpasswd -d AGENT GROUP";
    CONTAINER_SOCKETS "account.container-sockets" Hole
        "Whoever may write to a container engine's socket is root in one step."
        "chmod 0660 SOCKET, and take the agent out of its group";
    SUDO "account.sudo" Hole
        "What runs after approved root is not seen; sudo rules make any approved line a step to root."
        "visudo: remove the rules that name AGENT, its groups or ALL";
    DOAS "account.doas" Warning
        "doas rules make any approved line a step to root; doctor does not read them."
        "look through doas.conf for AGENT, its groups and lines that name nobody";
    PASSWORD "account.password" Hole
        "With a password the agent can be entered at a console and by every service that asks PAM, and can use chsh and su."
        "passwd -l AGENT";
    EXPIRED "account.expired" Warning
        "An expired account gets in nowhere, although everything else is in order."
        "chage -E -1 AGENT";
    CHSH "account.chsh" Hole
        "An agent that can change its login shell leaves the gate by itself."
        "remove the line of countersign-sh from /etc/shells, or: chmod u-s /usr/bin/chsh";
    CRON "account.cron" Hole
        "cron runs lines later, outside of the login that was decided."
        "echo root > /etc/cron.allow (one name a line; the agent not among them)";
    CRONTAB "account.crontab" Hole
        "A crontab, at job or service that runs as the account goes on running, whatever is allowed now."
        "crontab -r -u AGENT; atq, then atrm; take the account out of the file of cron.d or the unit that is named";
    AT "account.at" Hole
        "at and batch run lines later, outside of the login that was decided."
        "echo root > /etc/at.allow (one name a line; the agent not among them)";
    SCHEDULERS "account.schedulers" Hole
        "incron and fcron run lines later, outside of the login that was decided."
        "echo root > /etc/incron.allow (or fcron.allow; one name a line; the agent not among them)";
    MAIL "account.mail" Hole
        "A mail server runs what ~/.forward or the like names, as the account and outside of any login; one approved line can write that file."
        "echo 'AGENT: root' >> /etc/aliases && newaliases (qmail, Courier: no mail for the account), or take the mail server out";
    LINGER "account.linger" Hole
        "A lingering user manager runs the agent's own units without any login."
        "loginctl disable-linger AGENT";
    HOME "account.home" Warning
        "Who can write the home directory, or is behind a link in its place, can plant what approved lines use."
        "chown AGENT: HOME && chmod go-w HOME";
    SSH_DIR "account.ssh-dir" Warning
        "Who can write the agent's ~/.ssh can plant what approved lines use."
        "chown AGENT: HOME/.ssh && chmod 0700 HOME/.ssh";
    PERSONAL "account.personal-files" Warning
        "sshd, PAM and other ways in read these files of the agent before the gate, the moment one setting allows it."
        "remove the file, after a look at who put it there";
    PATH "account.path" Hole
        "Whoever can write to a directory of the configured PATH decides what an approved word runs."
        "chown root DIRECTORY && chmod go-w DIRECTORY, or take it out of `path` in /etc/countersign/countersign-sh.toml";
    OTHERS_JOBS "account.others-jobs" Hole
        "What cron, at and systemd run for root or somebody else, and the files that they read variables from, must not be the agent's to write."
        "chown root:root FILE && chmod go-w FILE, and the same for the directories above it, or take the job out";
    PAM_GROUPS "account.pam-groups" Hole
        "pam_group gives a login groups that no group file shows."
        "take AGENT out of the lines of /etc/security/group.conf, or these groups";
    SUBIDS "account.subids" Hole
        "With ranges of subordinate ids newuidmap lets an approved line become other uids, and what runs as one of these outlives the login."
        "usermod --del-subuids FIRST-LAST --del-subgids FIRST-LAST AGENT";
    POLKIT "account.polkit" Hole
        "A rule of polkit that lets the agent act makes any approved line a step to what it allows, mostly root."
        "look through the rule that is named; let it ask for a group that AGENT is not in";

    SSHD_CONFIG "sshd.config" Hole
        "Nothing can be said of a sshd whose effective configuration cannot be read or can be written by others."
        "run as root; then: sshd -T -C user=AGENT,host=localhost,addr=127.0.0.1";
    MATCH "sshd.match" Hole
        "A Match block by address or the like can set these options anew for some clients; doctor tries three addresses only."
        "move the Match block behind that of countersign-agents and leave these options out of it";
    FORCE_COMMAND "sshd.force-command" Hole
        "Without ForceCommand sshd itself serves what the client asks for, and the login shell alone decides."
        "ForceCommand /usr/bin/countersign-sh";
    SUBSYSTEM "sshd.subsystem" Hole
        "With the login shell alone, `Subsystem sftp internal-sftp` is served inside sshd: files come and go without the gate."
        "ForceCommand /usr/bin/countersign-sh";
    DISABLE_FORWARDING "sshd.disable-forwarding" Hole
        "Forwarding is a way out of and into the host that no one decides about."
        "DisableForwarding yes";
    TCP_FORWARDING "sshd.tcp-forwarding" Hole
        "TCP forwarding reaches what listens for the host only; DisableForwarding alone had holes in several releases."
        "AllowTcpForwarding no";
    STREAM_FORWARDING "sshd.stream-forwarding" Hole
        "Forwarded Unix sockets reach every socket that the agent's uid may open."
        "AllowStreamLocalForwarding no";
    AGENT_FORWARDING "sshd.agent-forwarding" Hole
        "A forwarded ssh-agent lends the client's keys to everything that runs as the agent (CVE-2025-32728: DisableForwarding missed it)."
        "AllowAgentForwarding no";
    X11_FORWARDING "sshd.x11-forwarding" Hole
        "X11 forwarding opens a listener and runs xauth as the agent, before the gate (CVE-2025-32728: DisableForwarding missed it)."
        "X11Forwarding no";
    GATEWAY_PORTS "sshd.gateway-ports" Hole
        "GatewayPorts lets forwarded ports listen for the whole network."
        "GatewayPorts no";
    PERMIT_LISTEN "sshd.permit-listen" Warning
        "A second lock, should remote forwarding ever be switched on."
        "PermitListen none";
    PERMIT_OPEN "sshd.permit-open" Warning
        "A second lock, should local forwarding ever be switched on."
        "PermitOpen none";
    PERMIT_TUNNEL "sshd.permit-tunnel" Hole
        "A tunnel is a network interface that no one decides about."
        "PermitTunnel no";
    USER_RC "sshd.user-rc" Hole
        "sshd runs ~/.ssh/rc, a file of the agent's, before the gate."
        "PermitUserRC no";
    SYSTEM_RC "sshd.system-rc" Warning
        "sshd runs /etc/ssh/sshrc as the agent, before the gate: what it runs and reads in turn must not be the agent's."
        "rm /etc/ssh/sshrc, after a look at what it is there for";
    USER_ENVIRONMENT "sshd.user-environment" Hole
        "~/.ssh/environment and environment= in keys set variables before the gate starts."
        "PermitUserEnvironment no";
    ACCEPT_ENV "sshd.accept-env" Hole
        "Only LANG, LC_* and COUNTERSIGN_* have a use; any other variable is the client's hand in the environment."
        "AcceptEnv LANG LC_* COUNTERSIGN_*";
    AUTHORIZED_KEYS "sshd.authorized-keys" Hole
        "An agent that can write its own authorized keys lets others in under its name, with options of its choice."
        "AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u";
    KEYS_COMMAND "sshd.authorized-keys-command" Hole
        "The program that says which keys count, and every file that it is told of, must be root's; it must not run as the agent."
        "AuthorizedKeysCommand none";
    PRINCIPALS_COMMAND "sshd.authorized-principals-command" Hole
        "The program that says which certificates count, and every file that it is told of, must be root's; it must not run as the agent."
        "AuthorizedPrincipalsCommand none";
    AUTHORITIES "sshd.certificate-authorities" Hole
        "Whoever can write the file of TrustedUserCAKeys makes certificates for everybody; whoever can write that of RevokedKeys makes revoked ones count."
        "chown root:root FILE && chmod 0644 FILE, and the same without w for others for every directory above it";
    HOSTBASED "sshd.hostbased" Hole
        "With host-based authentication an agent's ~/.rhosts or ~/.shosts says who gets in under its name."
        "HostbasedAuthentication no";
    CHROOT "sshd.chroot" Hole
        "In another root directory the login shell, its configuration and the daemon's socket are other files, or none."
        "ChrootDirectory none";
    PRINCIPALS "sshd.authorized-principals" Hole
        "An agent that can write its own principals lets other certificates in under its name."
        "AuthorizedPrincipalsFile none (or a root-owned file: /etc/ssh/principals.d/%u)";
    AUTHENTICATION "sshd.authentication" Warning
        "Other ways to authenticate than a key or certificate leave no fingerprint that could stand in the record."
        "PasswordAuthentication no, KbdInteractiveAuthentication no, HostbasedAuthentication no, GSSAPIAuthentication no, KerberosAuthentication no";
    UNCHECKED "sshd.unchecked" Hole
        "A sshd of root's that may listen, and of which doctor cannot tell the program or the configuration, may let agents in without the gate."
        "systemctl restart ssh; start it with an environment (its title needs room), or ask it: countersign doctor --sshd PROGRAM --sshd-config FILE, and stop what is not needed";
    OTHER_SSHD "sshd.others" Warning
        "A sshd in another mount namespace, or one that is not root's, is not checked."
        "run doctor inside the container that the other sshd belongs to";
    OTHER_DAEMONS "sshd.other-daemons" Warning
        "Other services let people log in by rules of their own."
        "systemctl disable --now SERVICE, or deny the agents' group in its configuration";

    READENV "pam.user-readenv" Hole
        "pam_env with user_readenv=1 reads ~/.pam_environment: the agent's variables, before the gate (the default file of Debian 12 has it)."
        "take user_readenv=1 out of the pam_env.so lines in /etc/pam.d/sshd";
    PAM_SYSTEMD "pam.systemd" Warning
        "pam_systemd starts a user manager at login: an approved systemd-run --user leaves processes outside of the login."
        "systemctl mask user@UID.service";
    PAM_EXEC "pam.exec" Hole
        "pam_exec runs its program as root whenever somebody comes in: whoever can write it is root."
        "chown root:root PROGRAM && chmod go-w PROGRAM, and the same for the directories above it";
    IDENTITY "pam.identity" Warning
        "Without the pam_exec line the key or certificate in the record is what the login claims, not what sshd verified."
        "add the pam_exec.so session line of OPERATIONS.md to /etc/pam.d/sshd, after pam_loginuid.so";

    SHELL_FILE "shell.file" Hole
        "The login shell must be setuid countersign, and only agents may start it: 4750 countersign:countersign-agents."
        "chown countersign:countersign-agents /usr/bin/countersign-sh && chmod 4750 /usr/bin/countersign-sh";
    SHELL_PARENTS "shell.parents" Hole
        "Whoever can write to a directory above the login shell can put another program in its place."
        "chown root DIRECTORY && chmod go-w DIRECTORY";
    SHELL_MOUNT "shell.mount" Hole
        "On a file system mounted nosuid or noexec the login shell cannot work, and nobody gets in."
        "mount -o remount,suid,exec MOUNTPOINT (and in /etc/fstab)";
    SHELLS "shell.listed" Hole
        "A shell in /etc/shells may be left with chsh and is taken for a person's by ftp daemons, su and others."
        "sed -i '/countersign-sh/d' /etc/shells";
    SHELL_CONFIG "shell.config" Hole
        "The login shell refuses everybody when its file is missing, wrong, or writable by others."
        "chown root:root /etc/countersign/countersign-sh.toml && chmod 0644 /etc/countersign/countersign-sh.toml; where there is none, put that of packaging/ there first";
    INNER_SHELL "shell.inner" Hole
        "Without the inner shell no approved line can run, and one that others can write runs what they want."
        "install it, or set inner_shell in /etc/countersign/countersign-sh.toml";

    USERS "host.users" Hole
        "Front and daemon need accounts of their own that nobody can log in to."
        "systemd-sysusers; usermod -s /usr/sbin/nologin ACCOUNT; passwd -l ACCOUNT";
    HOST_CONFIG "host.config" Hole
        "The daemon needs a root-owned configuration that agrees with the login shell's about the socket and the front's account."
        "chown root:root /etc/countersign/hostd.toml && chmod 0644 /etc/countersign/hostd.toml, with the same socket as countersign-sh.toml; where there is none, put that of packaging/ there first";
    SOCKET "host.socket" Hole
        "Without countersign-hostd behind the socket no line can run; with another process there, that one decides."
        "systemctl enable --now countersign-hostd";
    SOCKET_DIR "host.socket-dir" Hole
        "Whoever can write to a directory above the socket can put another daemon in its place."
        "chown countersign-hostd /run/countersign && chmod 0755 /run/countersign";
    PROGRAM "host.program" Hole
        "The program that holds the key must be root's, like every directory above it."
        "chown root:root /usr/bin/countersign-hostd && chmod 0755 /usr/bin/countersign-hostd";
    STATE_DIR "host.state-dir" Hole
        "Key, journal and recordings must be the daemon's alone."
        "chown -R countersign-hostd: /var/lib/countersign/host && chmod 0700 /var/lib/countersign/host";
    KEY "host.key" Hole
        "Whoever can read the host's key can sign another history."
        "chown countersign-hostd: identity.key && chmod 0400 identity.key; if others could read it, enrol anew";
    ENROLLED "host.enrolled" Hole
        "A host that is not enrolled, or enrolled as a trial, has nobody who could decide."
        "countersign enroll --service URL --token TOKEN --name NAME";
    LOCK "host.journal-lock" Hole
        "The daemon holds the journal's lock while it runs; without it nothing keeps two writers apart."
        "systemctl restart countersign-hostd";
    SYSTEM_FILES "host.system-files" Hole
        "Who can write to these becomes anybody, or has code of its own in every program and in the gate itself."
        "chown root:root FILE && chmod go-w FILE, and the same for the directories above it";
    PRIVILEGED "host.privileged-programs" Hole
        "A second program with the rights of the gate's accounts (an old login shell, kept beside), or a tool with root's, is a way past the gate for any approved line."
        "rm PROGRAM, or: chmod u-s PROGRAM; setcap -r PROGRAM";
    SPACE "host.space" Hole
        "Below the reserve of 32 MiB new commands are refused."
        "make room on the file system of the state directory";
    SCARCE "host.scarce" Warning
        "Below keep_free_bytes an agent that has recorded more than scarce_bytes_per_agent_day is refused."
        "make room on the file system of the state directory (countersign-hostd prune), or set keep_free_bytes in [recording] of hostd.toml";
    SERVICE "host.service" Hole
        "Without the service, known by its pinned certificate, nothing can be decided."
        "see that countersign-server runs and its port is reachable from here; a changed certificate needs a new enrolment";
    NOLOGIN "host.nologin" Warning
        "While this file exists sshd lets nobody in but root."
        "rm /etc/nologin /run/nologin, once the shutdown that made it is over";

    TIOCSTI "kernel.tiocsti" Hole
        "With TIOCSTI a program can type into a terminal: text that nobody approved reaches a shell."
        "echo 'dev.tty.legacy_tiocsti = 0' > /etc/sysctl.d/60-countersign.conf && sysctl --system";
    SUID_DUMPABLE "kernel.suid-dumpable" Hole
        "With 1 the setuid login shell leaves cores that the agent can read, and can be traced."
        "echo 'fs.suid_dumpable = 0' >> /etc/sysctl.d/60-countersign.conf && sysctl --system";
    CORE_PATTERN "kernel.core-pattern" Hole
        "The program that cores are piped to runs as root: it must be root's."
        "sysctl kernel.core_pattern=core, or chown root and chmod go-w the program";
    PROTECTED_LINKS "kernel.protected-links" Warning
        "Without these the old tricks with links in shared directories work against whatever approved lines do in /tmp."
        "sysctl fs.protected_symlinks=1 fs.protected_hardlinks=1";
    PROTECTED_FILES "kernel.protected-files" Warning
        "Without these, programs can be made to write into files and FIFOs that others left in shared directories."
        "sysctl fs.protected_fifos=1 fs.protected_regular=1";
    PTRACE "kernel.ptrace" Warning
        "Yama keeps programs of one login from tracing those of another of the same account."
        "sysctl kernel.yama.ptrace_scope=1 (a kernel built without Yama has nothing to set)";
    LANDLOCK "kernel.landlock" Hole
        "The servers of sftp, scp and rsync are kept from the memory of the agent's other programs, and a transfer to the place it names, by Landlock."
        "run a kernel of 5.19 or later with landlock among its modules (the boot parameter lsm=, see /sys/kernel/security/lsm)";
    USERNS "kernel.user-namespaces" Warning
        "Unprivileged user namespaces make much of the kernel reachable that is else root's."
        "sysctl kernel.unprivileged_userns_clone=0 (Debian), or user.max_user_namespaces=0";
    HIDEPID "kernel.hidepid" Warning
        "Without hidepid the agent sees the command lines of everybody's processes; the daemon must see all of them all the same."
        "mount -o remount,hidepid=invisible,gid=countersign-hostd /proc (and in /etc/fstab)";
    CLOCK "kernel.clock" Warning
        "The times in the record are this clock's; one that is not synchronised is declared as an anomaly by verify."
        "timedatectl set-ntp true";
}
