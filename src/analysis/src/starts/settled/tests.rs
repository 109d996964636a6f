use crate::starts::starts;

fn unsettled(line: &str) -> bool {
    starts(line, "bash").unsettled
}

/// Each of these ran a file of the agent's under an exact rule that looked harmless.
#[test]
fn names_of_files_and_what_is_read_may_be_options() {
    let lines = [
        "tar cf /tmp/x.tar *",
        "tar cf /tmp/x.tar ?*",
        "tar cf /tmp/x.tar [!a]*",
        "tar cf /tmp/x.tar {*,x}",
        "tar cf /tmp/x.tar $DIRS",
        "tar cf /tmp/x.tar \"$1\"",
        "tar cf /tmp/x.tar $(cat list)",
        "tar cf /tmp/x.tar \"`cat list`\"",
        "rsync -a a$(cat list) /srv",
        "read X < f; tar cf x $X",
        "X=-a; tar cf x $X",
        "X='a b'; tar cf x $X",
        "for f in *; do tar cf x $f; done",
        "for f in $(cat l); do gzip $f; done",
        "HOME=-x; tar cf $HOME",
        "read HOME < f; tar cf x $HOME",
        "tar cf x ${HOME:-$(cat f)}",
        "ls > $(cat f)",
        "ls > *",
        "tar cf x $((a[$(cat f)]))",
        "find . | xargs tar cf x",
        "bash -c 'tar cf x *'",
        "sudo tar cf x *",
        "> $(cat f)",
        "X=1 > *",
        "tar cf x $\"a\"",
        "find . -exec tar cf x {} \\; -exec sem {} \\;",
        "find -files0-from f -exec gzip {} \\;",
        "find . -exec unheard-of {} \\;",
        "find . -exec gzip -{} \\;",
        "find $X -exec gzip {} \\;",
        // The rest of the line is read in it.
        "LC_ALL=zh_CN.GBK; echo hi",
        "LANG=zh_CN\necho hi",
        "export LC_CTYPE=ja_JP.SJIS",
        "read LC_ALL < f",
        "for LANG in zh_TW.BIG5; do :; done",
        ": ${LC_ALL:=zh_CN.GBK}",
    ];
    let wrong: Vec<&str> = lines.into_iter().filter(|line| !unsettled(line)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let lines = [
        "tar cf /tmp/x.tar ./*",
        "tar cf /tmp/x.tar srv/*",
        "tar cf /tmp/x.tar -- *",
        "ls *",
        "cat *.log",
        "df $X",
        "tar czf /backup/x-$(date +%F).tar.gz /srv",
        "tar czf \"$HOME/x.tar\" /srv",
        "for s in nginx redis; do systemctl is-active $s; done",
        "X=/srv/app; gzip $X",
        "gzip a{1,2}",
        "sleep $((1+1))",
        "ls > ~/x",
        "> /srv/log",
        "X=$(cat f)",
        "find . -name '*.log' -exec gzip {} \\;",
        "find /srv -type f -exec chmod 640 {} +",
        "LC_ALL=C sort x",
        "LANG=de_DE.UTF-8; sort x",
        "LC_ALL= ls",
    ];
    let wrong: Vec<&str> = lines.into_iter().filter(|line| unsettled(line)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn options_and_operands_name_programs() {
    let lines = [
        "dc -e '!touch x'",
        "mysql -e 'system ./x'",
        "mariadb -e 'select 1; \\! ./x'",
        "cmake -E env sh x",
        "run-one sh x",
        "sbatch rm -rf x",
        "sudo-rs rm -rf x",
        "xdg-user-dir '}; rm x #'",
        "see x",
        "run-parts ./d",
        "run-parts /srv/d",
        "choom -n 0 ./x.sh",
        "chroot /srv/a /srv/x",
        "unshare -r /srv/x",
        "nsenter -t 1 /srv/x",
        "su -s x a",
        "su a -s",
        "su -ls ./x a",
        "su --shell=x a",
        "runuser a --sh ./x",
        "choom -n 0 /srv/a/x.sh",
        "nawk -f x.awk",
        "awk -fx.awk",
        "gawk --file=x.awk l",
        "sed -f x",
        "split --filter=./x list",
        "split --filt=./x list",
        "tar --to-command=./x -xf x.tar",
        "tar --to-com ./x -xf x.tar",
        "tar cf /dev/null --checkpoint=1 --checkpoint-action=exec=./x list",
        "tar -I ./x -cf a b",
        "tar -cIf ./x a b",
        "tar cIf ./x a b",
        "sort --compress-program=./x l",
        "rsync -e ./x a h:",
        "rsync -ae./x a h:",
        "zip a.zip list -T -TT ./x",
        "gcc -wrapper ./x list",
        "git -c alias.q=!./x q",
        "git -C /srv -c core.pager=x log",
        "git clone -u ./x h:r",
        "git fetch --upload-pack=./x",
        "git bisect run ./x",
        "git submodule foreach ./x",
        "git rebase -x ./x HEAD~1",
        "GIT_CONFIG_GLOBAL=gc git st",
        "env GIT_CONFIG_GLOBAL=gc git st",
        "sudo GIT_CONFIG_GLOBAL=gc git st",
        "LD_PRELOAD=./x.so ls",
        "PAGER=./x",
        "PAGER=$X",
        "export GIT_CONFIG_GLOBAL=gc",
        "declare -x PAGER=./x",
        "read -r PAGER < f",
        "printf -v PAGER %s ./x",
        "export PAGER",
        "printf -vPAGER %s ./x",
        "read -raPAGER < f",
        "read 'PAGER[0]' < f",
        "export PAGER+=/x",
        "declare 'PAGER[0]=/x'",
        "PAGER+=/x",
        "RIPGREP_CONFIG_PATH=./rc rg x",
        "DBUS_SYSTEM_BUS_ADDRESS=unixexec:path=/usr/bin/rm,argv1=x busctl list",
        "ANSIBLE_SSH_EXECUTABLE=./x ansible all -m ping",
        "PYTEST_PLUGINS=x pytest",
        "SBT_OPTS=-javaagent:/srv/x sbt",
        "env BORG_CONFIG=$X borg list",
        "for PAGER in /x; do git log; done",
        "for PAGER; do git log; done",
        "for i in ${PAGER:=./x}; do git log; done",
        ": ${PAGER:=./x}; git log",
        "echo \"${PAGER=./x}\"; git log",
        "cat <<< ${PAGER:=./x}; git log",
        "systemd-run --setenv=GIT_CONFIG_GLOBAL=gc git st",
        "gcc -Wl,@args a.c",
        "gcc @args a.c",
        "ld @args",
        "javac @args",
        "tar cf a.tar -T list",
        "tar cTf list a.tar",
        "tar cf a.tar --files-from=list",
        "install -s --strip-program=./x a b",
        "make -sE 'x:;touch made'",
        "make -E 'x:;touch made'",
        "gmake --eval='x:;touch made'",
        "savelog -c 2 -x 'touch made;' f",
        "savelog -qx 'touch made;' f",
        "pg_virtualenv touch made",
        "c89 -wrapper 'sh,-c,touch made' a.c",
        "c99 -B/srv/x a.c",
        "c99 @args",
        "c99-gcc -specs=x a.c",
        "gcc-12 -wrapper 'sh,-c,touch made' a.c",
        "g++-12 -wrapper 'sh,-c,touch made' a.cc",
        "sudo gcc-12 -wrapper 'sh,-c,touch made' a.c",
        "x86_64-linux-gnu-gcc-12 -wrapper 'sh,-c,touch made' a.c",
        "aarch64-linux-gnu-g++ -fplugin=x a.cc",
        "arm-none-eabi-ld -plugin x a.o",
        "clang-14 --ld-path=x a.c",
        "make-4.3 -E 'x:;touch made'",
        "gdb -ex '!touch made' -batch",
        "gdb-multiarch -ex '!touch made' -batch",
        "gdb-multiarch -iex='shell touch made' -batch",
        "lldb -b -o 'shell touch made'",
        "lldb-14 -b -o 'platform shell touch made'",
        "node-18 -e 'require(1)'",
        "python3.11 -m mod",
        "perl5.36 -Mlib=x -e 1",
        "perl5.36 -e 'system q(touch made)'",
        "perl5.36-x86_64-linux-gnu -e 'system q(touch made)'",
        "ruby3.1 -e 'system %q(touch made)'",
        "lua5.4 -e 'os.execute(1)'",
        "lua5.4 -e 'io.popen(1)'",
        "php8.2 -r 'system(1);'",
        "scala -e '\"touch made\".!'",
        "scala -e 'new ProcessBuilder(\"touch\", \"made\").start'",
        "Rscript -e 'system(\"touch made\")'",
        "R -e 'pipe(\"touch made\")'",
        "julia -e 'run(`touch made`)'",
        "gdb -batch -ex 'p $_shell(\"touch made\")'",
        "gdb -batch -ex 'run & touch made' x",
        "gdb -batch -iex 'set auto-load safe-path /' x",
        "git cherry-pick --s a/b x",
        "elixir -e 'System.cmd(\"touch\", [\"made\"])'",
        "PAGER=./x git log",
        "python3 -m mod",
        "python3 -c 'import mod'",
        "node -e 'require(\"./x\")'",
        "scp -S ./x a h:",
        "ssh -o ProxyCommand=./x h uptime",
        "socat - EXEC:./x",
        "apt-get -o APT::Update::Pre-Invoke::=./x update",
        "unheard-of ./x",
        "unheard-of --run=./x",
        "unheard-of -r../x",
        "bash -c 'choom -n 0 ./x'",
    ];
    let wrong: Vec<&str> = lines.into_iter().filter(|line| !unsettled(line)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let lines = [
        "uptime",
        "docker pull ghcr.io/myorg/api:sha-a3f9b",
        "git status",
        "git log --oneline -n 5",
        "git push -u origin main",
        "git -C /srv/app pull",
        "systemctl restart nginx",
        "bash deploy.sh",
        "bash ./deploy.sh",
        "./x.sh a",
        "python3 -I -m http.server",
        "python3 /srv/report.py",
        "python3 -c 'print(1)'",
        "tar xf /srv/a.tar -C /srv/b",
        "tar czf /srv/a.tgz ./data",
        "cp ./a ./b",
        "kubectl apply -f ./app.yaml",
        "rsync -a /srv/a h:/srv/a",
        "curl -fsS https://internal.example/healthz",
        "KUBECONFIG=/etc/k/config kubectl get pods",
        "PYTHONUNBUFFERED=1 python3 /srv/x.py",
        "FOO=1 make test",
        "DEBIAN_FRONTEND=noninteractive apt-get install -y nginx",
        "unheard-of /srv/x",
        "awk -F: '{print $1}' /etc/passwd",
        "sed -i s/a/b/ /srv/x",
        "ssh web-2 uptime",
        "npm install @scope/package",
        "export LANG=C X=1",
        "APP_CONFIG=staging make test",
        "X_COMMAND='a b' make test",
        "PAGER=cat",
        "echo ${X:=./x}",
        "for i in a b; do echo $i; done",
        "gcc -Wl,-O1 a.c",
        "install -m 644 ./a /etc/b",
        "make -j4",
        "make-4.3 -j4 all",
        "savelog -c 7 /var/log/x",
        "gcc-12 -O2 a.c",
        "x86_64-linux-gnu-gcc-12 -O2 -Wl,-O1 a.c",
        "aarch64-linux-gnu-objdump -d a.o",
        "c99 -O2 -o a a.c",
        "gdb -batch -ex bt -p 1",
        "gdb-multiarch -batch -ex 'thread apply all bt' -p 1",
        "lldb-14 -b -o bt -p 1",
        "python3.11 -c 'print(1)'",
        "python3.11 /srv/report.py",
        "perl5.36 -pe s/a/b/ x",
        "node-18 -e 1",
        "scala -e 'println(1)'",
        "Rscript -e 'mean(1:3)'",
        "julia -e '1+1'",
        "bzip2 ./x",
        "base64 ./x",
        "linux64 ls -l",
    ];
    let wrong: Vec<&str> = lines.into_iter().filter(|line| unsettled(line)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// So they are shown to whoever decides, and looked at again before the line runs.
#[test]
fn files_that_words_name_are_shown() {
    let scripts = |line: &str| starts(line, "bash").scripts.into_iter().map(|one| one.path).collect::<Vec<_>>();
    for (line, file) in [
        ("choom -n 0 ./x.sh", "./x.sh"),
        ("run-parts /srv/d", "/srv/d"),
        ("split --filter=./x list", "./x"),
        ("split --filter ./x list", "./x"),
        ("tar cf a --checkpoint=1 --checkpoint-action=exec=./x b", "./x"),
        ("tar -I ./x -cf a b", "./x"),
        ("rsync -ae ./x a h:", "./x"),
        ("sort --compress-program='./x -d' l", "./x"),
        ("unheard-of -r./x", "./x"),
        ("gcc @args a.c", "args"),
        ("gcc-12 @args a.c", "args"),
        ("x86_64-linux-gnu-gcc-12 -B /srv/x a.c", "/srv/x"),
        ("gdb-multiarch -batch -x /srv/x", "/srv/x"),
        ("perl5.36-x86_64-linux-gnu /srv/x", "/srv/x"),
        ("GIT_CONFIG_GLOBAL=/srv/a/gc git st", "/srv/a/gc"),
        ("env GIT_CONFIG_GLOBAL=/srv/a/gc git st", "/srv/a/gc"),
        ("export PAGER=/srv/a/x", "/srv/a/x"),
        ("RIPGREP_CONFIG_PATH=/srv/rc rg x", "/srv/rc"),
    ] {
        assert!(scripts(line).iter().any(|path| path == file), "{line}: {:?}", scripts(line));
    }
    for line in [
        "cp ./a ./b",
        "ls ./x",
        "tar czf /srv/a.tgz ./data",
        "unheard-of /srv/x",
        "PAGER=cat git log",
        "HOME=/srv/a git st",
    ] {
        assert_eq!(scripts(line), [""; 0], "{line}");
    }
}

/// Every file put into such a directory would be a change of it, so it is looked at by itself.
#[test]
fn directories_that_variables_name_are_told() {
    for line in [
        "HOME=/srv/a git st",
        "COMPILER_PATH=/srv/a gcc x.c",
        "GCC_EXEC_PREFIX=/srv/a gcc x.c",
        "export XDG_CONFIG_HOME=/srv/a",
        "env PYTHONPATH=/srv/a ./x",
        "CDPATH=/srv/a",
    ] {
        assert_eq!(starts(line, "bash").directories, ["/srv/a"], "{line}");
    }
    for line in ["GIT_CONFIG_GLOBAL=/srv/a git st", "X=/srv/a", "echo HOME=/srv/a", "HOME=~/a git st"] {
        assert_eq!(starts(line, "bash").directories, [""; 0], "{line}");
    }
}

/// A login that goes on from line to line may have been told more before.
#[test]
fn a_variable_settles_nothing_where_the_shell_goes_on() {
    let settled = |line: &str, keeps_shell: bool| starts(line, "bash").is_settled(keeps_shell);
    assert!(settled("df -h", true) && settled("df -h", false));
    assert!(!settled("df $X", true) && settled("df $X", false));
    assert!(!settled("tar cf x *", true) && !settled("tar cf x *", false));
}

/// A file of instructions is one of code, whatever the language: `make -f` was, `ansible-playbook` was not.
#[test]
fn files_of_instructions_are_shown() {
    let scripts = |line: &str| {
        let own = starts(line, "bash").scripts.into_iter().filter(|one| !one.settings);
        own.map(|one| one.path).collect::<Vec<_>>()
    };
    for (line, files) in [
        ("ansible-playbook -vl web /srv/p.yml site.yml", &["/srv/p.yml", "site.yml"][..]),
        ("docker compose -f /srv/c.yml up -d", &["/srv/c.yml"]),
        ("rsyslogd -f /srv/x", &["/srv/x"]),
        ("openvpn --script-security 2 --up touch", &["touch"]),
        ("dnsmasq -C/srv/x", &["/srv/x"]),
        ("bash /usr/bin/ldd /srv/x", &["/srv/x", "/usr/bin/ldd"]),
        ("docker compose --file=c.yml -f d.yml logs -f web", &["c.yml", "d.yml"]),
        ("docker-compose -p x -fc.yml up", &["c.yml"]),
        ("cargo build --manifest-path /srv/Cargo.toml", &["/srv/Cargo.toml"]),
        ("cmake -DCMAKE_BUILD_TYPE=Release -P /srv/x.cmake", &["/srv/x.cmake"]),
        ("mvn -DskipTests -q -f /srv/pom.xml install", &["/srv/pom.xml"]),
        // Too much rather than too little.
        ("mvn -ff -f /srv/pom.xml install", &["f", "/srv/pom.xml"]),
        ("sudo logrotate -f /srv/l.conf", &["/srv/l.conf"]),
        ("pip install -qr /srv/r.txt", &["/srv/r.txt"]),
        ("kubectl --kubeconfig=/srv/k get pods", &["/srv/k"]),
        ("gdb -batch -ex bt -x /srv/x", &["/srv/x"]),
        ("ssh -oPort=22 -lI -I /srv/x.so h", &["/srv/x.so"]),
        ("bc -l /srv/x", &["/srv/x"]),
        ("dc -e 1p -f /srv/x", &["/srv/x"]),
        ("m4 -DA=b -d /srv/x", &["/srv/x"]),
        ("gnuplot -persist -e 'a=1' $HOME/x", &["~/x"]),
        ("ruby -rjson -r/srv/x -e 1", &["/srv/x"]),
        ("node --require=/srv/x.js -e 1", &["/srv/x.js"]),
        ("java -cp /srv/a.jar:/srv/b -jar /srv/c.jar", &["/srv/a.jar", "/srv/b", "/srv/c.jar"]),
        ("mono /srv/x.exe a b", &["/srv/x.exe"]),
        ("prove -v /srv/x t", &["/srv/x"]),
        ("pip install file:///srv/x git+file:/srv/y", &["/srv/x", "/srv/y"]),
        ("pip install 'x @ file:///srv/x' --find-links=/srv/y z", &["/srv/x", "/srv/y"]),
        ("npm install x@file:/srv/x", &["/srv/x"]),
        ("pip install -i https://p.example/simple flask", &[]),
        ("ssh-add -s /srv/x", &["/srv/x"]),
        ("escript x", &["x"]),
        ("sftp -b x h", &["x"]),
        ("rsync --daemon --config=/srv/x", &["/srv/x"]),
        ("make SHELL=/srv/x all", &["/srv/x"]),
        ("make PREFIX=/srv/x DESTDIR=/srv/y install", &[]),
        ("kubectl -n web apply -f /srv/k.yaml", &["/srv/k.yaml"]),
        ("kubectl -v logs apply -f k", &["k"]),
        ("helm upgrade web /srv/chart -f /srv/v.yaml", &["/srv/chart", "/srv/v.yaml"]),
        ("sudo dpkg -i /srv/x x.deb", &["/srv/x", "x.deb"]),
        ("sudo apt-get install -y /srv/x.deb", &["/srv/x.deb"]),
        ("pip install -e /srv/x", &["/srv/x"]),
        ("npm install -g /srv/x.tgz", &["/srv/x.tgz"]),
        ("docker stack deploy -c s.yml web", &["s.yml"]),
        ("docker build -t web -f /srv/D .", &["/srv/D"]),
        ("podman play kube x", &["x"]),
        ("sudo systemctl link /srv/x.service", &["/srv/x.service"]),
        ("crontab -u web c", &["c"]),
        ("sudo nft -f x", &["x"]),
        ("sudo sysctl -p /srv/x", &["/srv/x"]),
        ("sudo nginx -t -c /srv/n.conf", &["/srv/n.conf"]),
        ("gunicorn -c file:/srv/g app:app", &["file", "/srv/g"]),
        ("pytest -q /srv/t", &["/srv/t"]),
        ("kubectl logs -f web", &[]),
        ("kubectl -n web --context=a logs -f web", &[]),
        ("kubectl apply -f https://example.com/k.yaml", &[]),
        ("sudo apt-get install -y nginx", &[]),
        ("pip install --target /srv/x flask", &[]),
        ("npm --prefix /srv/x run build", &[]),
        ("docker build -t web .", &[]),
        ("cmake -E make_directory x", &[]),
        ("mysql -e 'select 1'", &[]),
        ("systemctl restart web.service", &[]),
        ("crontab -l", &[]),
        ("make -C /srv/x all", &[]),
        ("git -C /srv/x status", &[]),
        ("docker run -f /srv/x", &[]),
        ("docker compose logs -f web", &[]),
        ("bc /dev/stdin", &[]),
        ("node -r dotenv/x -e 1", &["dotenv/x"]),
        ("node -r dotenv -e 1", &[]),
    ] {
        assert_eq!(scripts(line), files, "{line}");
        assert!(!unsettled(line), "{line}");
    }
    for line in [
        "ansible-playbook $P",
        "sed -n '$e' x",
        "bc \"$(cat l)\"",
        "docker compose -f",
        "perl -I ~/lib -e 1",
        "X=/srv/p; m4 $X",
        "X=/srv/x; pip install $X",
        "for p in /srv/x; do apt-get install -y \"$p\"; done",
        "perl -ne print logs/*",
        "perl -e 'print <>' logs/*",
        "awk '{system($0)}' x",
        "java Main",
    ] {
        assert!(unsettled(line), "{line}");
    }
}

#[test]
fn directories_of_instructions_are_told() {
    for line in [
        "git --git-dir=/srv/a log",
        "git --git-dir /srv/a log",
        "make -kI/srv/a all",
        "perl -I /srv/a -e 1",
        "kubectl apply -k /srv/a",
        "cargo install --path /srv/a",
        "docker --config /srv/a compose ps",
    ] {
        assert_eq!(starts(line, "bash").directories, ["/srv/a"], "{line}");
    }
    for line in ["git --git-dir=.git log", "make -I include all", "make -C /srv/a all"] {
        assert_eq!(starts(line, "bash").directories, [""; 0], "{line}");
    }
}

/// A program reads them unasked, so they must be looked at where a line names only the program.
#[test]
fn settings_of_the_home_are_told() {
    let settings = |line: &str| {
        let all = starts(line, "bash").scripts.into_iter().filter(|one| one.settings);
        all.map(|one| one.path).collect::<Vec<_>>()
    };
    for (line, file) in [
        ("rsync -a /srv/a /srv/b", "~/.popt"),
        ("nice rsync -a /srv/a /srv/b", "~/.popt"),
        ("find . -exec curl -O {} \\;", "~/.curlrc"),
        ("ssh web-2 uptime", "~/.ssh/config"),
        ("docker compose ps", "~/.docker/cli-plugins"),
        ("man ls", "~/.manpath"),
        ("mvn -q package", "~/.mavenrc"),
        ("sudo -u web cargo build", "~/.cargo/config.toml"),
    ] {
        assert!(settings(line).iter().any(|path| path == file), "{line}");
    }
    for line in ["ls", "git status", "echo rsync", "ssh web-2 rsync a b"] {
        assert!(!settings(line).iter().any(|path| path == "~/.popt"), "{line}");
    }
    // Written by the line itself.
    let found = starts("echo x > ~/.popt; rsync -a a b", "bash").scripts;
    assert!(found.iter().any(|one| one.path == "~/.popt" && one.after.is_none()), "{found:?}");
}
