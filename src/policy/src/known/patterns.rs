//! What patterns must know of programs and variables. Each list is a text of words.

/// Whether a word is in a list.
pub(crate) fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Programs with an operand, not only an option, that can run a program, read
/// one, or write a file of any name: a wildcard that could begin a word is refused.
pub(crate) const OPERANDS_ACT: &str = "\
    awk gawk mawk nawk sed find fd make gmake ninja cmake tar bsdtar cpio zip 7z ar dd scp sftp rsync \
    rclone nc ncat netcat socat wget aria2c curl tee cp mv ln install rm rmdir unlink shred truncate \
    touch mkdir mkfifo mknod chmod chown chgrp chattr setfacl split csplit sort uniq xxd od openssl gpg \
    gcc cc g++ c++ clang ld as go cargo rustc javac java mvn gradle ant nmap tcpdump tshark mount umount \
    losetup insmod modprobe rmmod sysctl kexec useradd usermod userdel adduser passwd chpasswd groupadd \
    update-alternatives alternatives ldconfig iptables ip6tables nft ip tc perf bpftrace jq yq xmllint \
    patch ed docker-compose ansible ansible-playbook ansible-console terraform tofu pulumi helm vagrant \
    composer rake bundle gem npx pnpx bunx pipx uvx tox pytest cron run-parts start-stop-daemon \
    logrotate dbus-send busctl gdbus pkexec chsh chfn mkfs date hostname kill pkill killall reboot \
    shutdown halt poweroff init telinit";
/// Programs whose words another shell or reader takes apart again, or that run
/// what they are fed: no wildcard anywhere.
pub(crate) const READS_WORDS_AGAIN: &str = "\
    ssh slogin rsh su watch xargs parallel script systemd-run at batch flock entr dtach screen tmux \
    expect eval trap source . exec command builtin env export declare typeset local readonly alias \
    unalias set unset shopt hash enable read mapfile readarray printf let test [ getopts bind complete \
    compgen fc history umask ulimit chroot nsenter unshare busybox toybox strace ltrace gdb setpriv \
    runuser ld.so ld-linux-x86-64.so.2 wsl pushd popd dirs suspend logout exit";
/// Programs with subcommands, and those that do nothing but show: only after
/// these may a wildcard begin a word, and only after a literal subcommand may it stand at all.
pub(crate) const SUBCOMMANDS: &[(&str, &str)] = &[
    ("git", "status log diff show rev-parse describe ls-files blame shortlog"),
    ("hg", "status log diff"),
    ("svn", "status log info"),
    ("docker", "ps images logs inspect version info pull top port history stats"),
    ("podman", "ps images logs inspect version info pull top port history stats"),
    ("nerdctl", "ps images logs inspect version info pull"),
    ("kubectl", "get describe logs top version explain"),
    ("systemctl", "status is-active is-enabled is-failed show cat list-units list-timers"),
    ("loginctl", "list-sessions session-status show-session"),
    ("machinectl", "list status show"),
    ("apt", "list show policy search"),
    ("apt-get", ""),
    ("apt-cache", "show policy search depends rdepends"),
    ("aptitude", "show search"),
    ("dpkg", ""),
    ("rpm", ""),
    ("dnf", "list info search"),
    ("yum", "list info search"),
    ("snap", "list info"),
    ("flatpak", "list info"),
    ("brew", "list info"),
    ("npm", "ls list view outdated"),
    ("yarn", "list info"),
    ("pnpm", "list"),
    ("pip", "list show freeze check"),
    ("pip3", "list show freeze check"),
    ("uv", ""),
    ("poetry", ""),
    ("aws", ""),
    ("gcloud", ""),
    ("az", ""),
    ("gh", ""),
    ("service", ""),
    ("nmcli", ""),
    ("lxc", ""),
    ("incus", ""),
];
