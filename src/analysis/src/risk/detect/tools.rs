//! Tools of attackers, by the name of a program or of the script that an
//! interpreter is given: `enum4linux-ng`, `python3 psexec.py`, `./LinPEAS.sh`.

use super::super::view::View;
use crate::facts::Span;
use crate::words::base_name;

/// Names without their ending and version, in lower case.
const TOOLS: [&str; 104] = [
    "mimipenguin",
    "mimikatz",
    "lazagne",
    "linpeas",
    "linenum",
    "lse",
    "les",
    "linuxprivchecker",
    "linux-exploit-suggester",
    "unix-privesc-check",
    "unix_privesc_check",
    "traitor",
    "pspy",
    "pspy64",
    "pspy32",
    "deepce",
    "peirates",
    "kube-hunter",
    "kubeletctl",
    "botb",
    "amicontained",
    "enum4linux",
    "smbmap",
    "smbenum",
    "kerbrute",
    "rubeus",
    "bloodhound",
    "bloodhound-python",
    "sharphound",
    "certipy",
    "crackmapexec",
    "cme",
    "netexec",
    "nxc",
    "evil-winrm",
    "responder",
    "inveigh",
    "mitm6",
    "ntlmrelayx",
    "secretsdump",
    "psexec",
    "wmiexec",
    "smbexec",
    "atexec",
    "dcomexec",
    "getuserspns",
    "getnpusers",
    "getst",
    "gettgt",
    "ticketer",
    "lookupsid",
    "samrdump",
    "rpcdump",
    "reg-secrets",
    "pypykatz",
    "3snake",
    "swap_digger",
    "sshdump",
    "gosecretsdump",
    "hydra",
    "medusa",
    "ncrack",
    "patator",
    "crowbar",
    "john",
    "unshadow",
    "ssh2john",
    "zip2john",
    "hashcat",
    "sqlmap",
    "nikto",
    "gobuster",
    "feroxbuster",
    "dirsearch",
    "dirbuster",
    "wpscan",
    "nuclei",
    "masscan",
    "zmap",
    "rustscan",
    "autorecon",
    "fscan",
    "naabu",
    "msfconsole",
    "msfvenom",
    "weevely",
    "pwncat",
    "pwncat-cs",
    "chisel",
    "ligolo",
    "ligolo-proxy",
    "revsocks",
    "gsocket",
    "gs-netcat",
    "xmrig",
    "minerd",
    "cpuminer",
    "t-rex",
    "nbminer",
    "ettercap",
    "bettercap",
    "tcpkill",
    "scoutsuite",
    "cloudfox",
];
/// Beginnings of families of them.
const FAMILIES: [&str; 4] = ["impacket-", "linux-exploit-suggester", "mimipenguin", "linpeas"];

/// Programs whose first operand, or whose input file, is a program.
const RUNNING: [&str; 5] = ["bash", "sh", "source", ".", "chmod"];

/// The word that names such a tool.
pub fn attack_tool(view: &View<'_>) -> Option<Span> {
    let program = view.command.program()?;
    if is_tool(&program.text) {
        return Some(program.span);
    }
    let runs = RUNNING.contains(&view.name) || crate::programs::interpreter(view.name).is_some();
    let script = |text: &str| {
        let name = base_name(text).to_ascii_lowercase();
        [".py", ".sh", ".pl", ".rb", ".elf", ".php", ".js"].iter().any(|end| name.ends_with(end)) || text.contains('/')
    };
    let word = view.arguments.iter().filter(|_| runs).take(6).find(|word| script(&word.text) && is_tool(&word.text));
    word.map(|word| word.span)
}

fn is_tool(path: &str) -> bool {
    let name = base_name(path).to_ascii_lowercase();
    if FAMILIES.iter().any(|family| name.starts_with(family)) {
        return true;
    }
    let bare = [".py", ".sh", ".pl", ".rb", ".elf", ".exe", ".bin", ".php", ".jar", ".js"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(&name);
    let bare = bare.strip_suffix("-ng").or_else(|| bare.strip_suffix("_x64")).unwrap_or(bare);
    // Short names are words of everyday life, too: as a script only.
    if bare.len() <= 3 {
        return name.len() > bare.len() && name.ends_with(".sh") && TOOLS.contains(&bare);
    }
    let unversioned = bare.trim_end_matches(|c: char| c.is_ascii_digit() || "._-v".contains(c));
    TOOLS.contains(&bare) || unversioned.len() > 3 && TOOLS.contains(&unversioned)
}
