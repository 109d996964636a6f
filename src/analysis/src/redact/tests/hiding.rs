//! What is hidden is data: no expansion, no separator, no code.

use super::super::{Class, Dialect, Finding, find, find_for};
use super::{cut, marked};

#[test]
fn a_word_with_an_expansion_is_shown_and_reported() {
    for line in [
        "mysql -p\"$(evil)\"",
        "mysql -p$(evil)",
        "mysql -p`evil`",
        "mysql -p\"x`evil`y\"",
        "mysql -p\"a$(evil)b\"",
        "mysql -pabc$(evil)",
        "mysql -p'abc'\"$(evil)\"",
        "mysql -p<(evil)",
        "mysql -pabc<(evil)",
        "mysql -p${x:-$(evil)}abc",
        "mysql -p$\"abc$(evil)\"",
        "mysql --password=\"abc$(evil)\"",
        "mysql --password \"abc$(evil)\"",
        "PGPASSWORD=abc$(evil) psql",
        "export PGPASSWORD=\"abc$(evil)\"",
        "curl -u \"user:abc$(evil)\" h",
        "curl -u user:abc`evil` h",
        "echo abc\"$(evil)\" | sudo -S true",
        "sudo -S true <<< \"abc$(evil)\"",
        "sudo -S true <<EOF\nabc$(evil)\nEOF",
        "curl -H \"Authorization: Bearer abcdef$(evil)\" h",
        "psql \"postgres://u:abc$(evil)@h/d\"",
        "mysql -p$((1+$(evil)))abc",
        "mysql -p{a,$(evil)}",
        "bash -c 'mysql -pabc$(evil)'",
        "bash -c \"mysql -pabc\\$(evil)\"",
        "ssh h 'mysql -pabc$(evil)'",
        "eval 'mysql -pabc`evil`'",
        "mysql -p'$(evil)'",
        "vault login \"s.abc$(evil)\"",
    ] {
        assert!(marked(line).replace(['«', '»'], "") == line);
        let hidden: String = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(!hidden.contains("evil"), "{}", marked(line));
        let reported = find(line).iter().any(|f| !f.literal && line[f.start..f.end].contains("evil"));
        assert!(reported, "not reported: {line} {:?}", find(line));
    }
}

/// A later line may run it, and nobody looks at the two together.
#[test]
fn what_stays_in_the_shell_is_hidden_only_where_it_names_no_program() {
    for line in [
        "API_TOKEN='touch evil'",
        "export DB_PASSWORD=\"touch evil\"",
        "set -- --password 'touch evil'",
        "read API_TOKEN <<< 'touch evil'",
        "API_TOKEN=evil",
        "API_TOKEN=./evil7X",
        "API_TOKEN=/tmp/evil7X",
        "A=1 API_TOKEN='touch evil'; ls",
        "echo 'password=touch,evil' | sed 's/.*=//; s/,/ /' | bash",
        "printf %s 'password=touch,evil' | tr , ' ' | cut -c10- | sh",
        "sed s/x// <<E | bash\npassword='touch evil'\nE",
        "echo 'password=touch,evil' | tr , ' ' | xargs -n2 env",
        "echo 'token=touch,evil' | cut -d= -f2 | while read a; do $a; done",
    ] {
        let hidden: String = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(!hidden.contains("evil"), "{}", marked(line));
    }
    for line in [
        "export API_TOKEN='Ev1lQ2x7z'",
        "API_TOKEN=Ev1lQ2x7z",
        "PGPASSWORD='Two Ev1lQ2x7z' psql -h db",
        "echo Ev1lQ2x7z | docker login -u a --password-stdin | tee log",
    ] {
        let hidden: String = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(hidden.contains("Ev1lQ2x7z"), "{}", marked(line));
    }
}

#[test]
fn what_is_run_through_a_variable_is_shown() {
    for line in [
        "X_TOKEN=evil7x; $X_TOKEN /srv",
        "X_TOKEN='evil7x a'; $X_TOKEN",
        "export API_TOKEN=evil7x && \"$API_TOKEN\"",
        "API_TOKEN=evil7x; sudo $API_TOKEN",
        "API_TOKEN=evil7x; if $API_TOKEN; then :; fi",
        "API_TOKEN=evil7x; timeout 5 $API_TOKEN",
        "API_TOKEN=evil7x; sudo -u bob env A=1 $API_TOKEN",
        "API_TOKEN=evil7x; sudo --user bob $API_TOKEN",
        "API_TOKEN=evil7x; xargs $API_TOKEN",
        "token='sh evil7x' && bash -c \"$token\"",
        "token='evil7x'; eval \"$token\"",
        "token='evil7x'; eval $token x",
        "token='a;evil7x'; eval \"echo $token\"",
        "token='a;evil7x'; ssh h \"deploy $token\"",
        "API_KEY='sh -c evil7x' sh -c '$API_KEY'",
        "API_KEY='evil7x' sh -c 'true; $API_KEY'",
        "API_KEY='evil7x'; sh <<< \"$API_KEY\"",
        "API_KEY='evil7x'; echo \"$API_KEY\" | sh",
        "API_KEY='evil7x'; bash ./$API_KEY",
        "API_KEY='evil7x'; . ./$API_KEY",
        "set -- --password 'sh evil7x'; $2",
        "set -- --password evil7x; \"$2\"",
        "f() { $2; }; f --password evil7x",
        "API_TOKEN=evil7x; trap \"$API_TOKEN\" EXIT",
        "env -S 'PASSWORD=abc7x evil7x'",
        "env -S 'PASSWORD=abc7x sh evil7x'",
        "sg docker 'PASSWORD=abc7x sh evil7x'",
        "nix-shell --run 'API_TOKEN=abc7x evil7x'",
        "git submodule foreach 'API_TOKEN=abc7x evil7x'",
        "xterm -e 'PASSWORD=abc7x evil7x'",
    ] {
        let hidden: Vec<&str> = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(!hidden.iter().any(|hidden| hidden.contains("evil")), "{}", marked(line));
    }
    // What is only handed on stays hidden.
    for line in [
        "API_TOKEN=hunter2x; curl -H \"Authorization: Bearer $API_TOKEN\" h",
        "API_TOKEN=hunter2x sh -c 'curl -u \"x:$API_TOKEN\" h'",
        "API_TOKEN=hunter2x; ssh h \"deploy --token $API_TOKEN\"",
        "PGPASSWORD=hunter2x psql -c \"$q\"",
        "export DB_PASSWORD='hunter2x b'; ./run",
        "sudo DB_PASSWORD='hunter2x b' ./run",
        "\"$PYTHON\" manage.py --password hunter2x",
    ] {
        let hidden: Vec<&str> = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(hidden.iter().any(|hidden| hidden.contains("hunter2x")), "{line}");
    }
}

#[test]
fn no_program_and_no_script_is_hidden_whatever_it_looks_like() {
    for line in [
        "perl -w Ev1lQ2x7z",
        "ruby -w Ev1lQ2x7z",
        "bash -p Ev1lQ2x7z",
        "python3 -P Ev1lQ2x7z",
        "source Ev1lQ2x7z",
        "command -p Ev1lQ2x7z",
        "time -p Ev1lQ2x7z",
        "sudo -P Ev1lQ2x7z",
        "sudo -u bob -P Ev1lQ2x7z x",
        "nsenter -t 1 -p Ev1lQ2x7z",
        "unshare -f -p Ev1lQ2x7z",
        "watch -p Ev1lQ2x7z",
        "xargs -p Ev1lQ2x7z",
        "su -c 'bash -p Ev1lQ2x7z'",
        "systemd-run -u x -P Ev1lQ2x7z",
        "sem -u -w Ev1lQ2x7z",
    ] {
        let hidden: Vec<&str> = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(!hidden.iter().any(|hidden| hidden.contains("Ev1l")), "{}", marked(line));
    }
    for line in [
        "sudo env PGPASSWORD=hunter2x psql -c \"$Q\"",
        "sudo sh -c \"mysql -phunter2x < $F\"",
        "sudo -u bob mysql -u root -phunter2x -e \"$Q\"",
        "timeout 5 $X mysql -phunter2x",
    ] {
        assert!(cut(line).iter().any(|f| line[f.start..f.end].contains("hunter2x")), "{line}");
    }
}

#[test]
fn what_the_shell_would_split_is_shown() {
    for line in ["sshpass -p {abcdef,rm,-rf,/}", "sshpass -p abc*", "sshpass -p a[bc]d?", "mysql -p{abc,def}"] {
        assert_eq!(marked(line), line);
        assert!(find(line).iter().any(|f| !f.literal), "{line}");
    }
}

#[test]
fn every_form_of_quotes_is_read() {
    for (line, secret) in [
        ("mysql -phunter2x", "hunter2x"),
        ("mysql -p'hunter2 x'", "hunter2 x"),
        ("mysql -p\"hunter2 x\"", "hunter2 x"),
        ("mysql '-phunter2x'", "hunter2x"),
        ("mysql \"-phunter2x\"", "hunter2x"),
        ("mysql -p$'hunter\\x32x'", "hunter\\x32x"),
        ("mysql -phun\\ter2x", "hun\\ter2x"),
        ("mysql -p'hun'\"ter\"2x", "hun'\"ter\"2x"),
        ("mysql -p'a;b|c&d'", "a;b|c&d"),
        ("mysql -p\"a\\\"b\\$c\"", "a\\\"b\\$c"),
        ("mysql -p\"hunter2x\" -e 'select 1'; rm -rf /", "hunter2x"),
        ("sudo docker exec db mysql -uroot -phunter2x", "hunter2x"),
        ("x=$(mysql -phunter2x)", "hunter2x"),
        ("x=`mysql -phunter2x`", "hunter2x"),
        ("echo \"$(mysql -p'hunter2 x')\"", "hunter2 x"),
        ("bash -c 'mysql -phunter2x'", "hunter2x"),
        ("bash -c \"mysql -p'hunter2x'\"", "hunter2x"),
        ("ssh h \"bash -c 'mysql -phunter2x'\"", "hunter2x"),
        ("diff <(mysql -phunter2x) b", "hunter2x"),
        ("(cd /x && mysql -phunter2x)", "hunter2x"),
        ("bash <<'EOF'\nmysql -phunter2x\nEOF", "hunter2x"),
        ("bash <<EOF\nmysql -phunter2x -e \"$q\"\nEOF", "hunter2x"),
        ("my\\\nsql -phunter2x", "hunter2x"),
        ("mysql -ppäßwörd1", "päßwörd1"),
    ] {
        let found: Vec<&str> = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert_eq!(found, [secret], "{line}: {:?}", find(line));
    }
}

#[test]
fn lines_that_do_not_parse_hide_single_tokens_only() {
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    for line in [
        format!("echo 'x {token}"),
        format!("echo \"x {token}"),
        format!("if; {token} )"),
        format!("case x in {token}"),
        format!("# {token}"),
        format!("cat <<EOF\n{token}"),
    ] {
        assert_eq!(marked(&line), line.replace(&token, &format!("«{token}»")));
    }
    for line in [
        "mysql -p'a;rm -rf /",
        "((1<<EOF)); mysql -p'x;reboot;'\nEOF",
        "x=(a) mysql -p'x;reboot;'",
        "true 'password=';rm;echo ''\"",
        "[[ a ]] && mysql -p'x;reboot'",
    ] {
        assert_eq!(marked(line), line);
    }
}

#[test]
fn a_token_in_an_expansion_is_shown() {
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    for line in [format!("echo ${token}"), format!("echo ${{{token}}}"), format!("echo ${{x:-{token}}}")] {
        assert_eq!(marked(&line), line);
        assert!(find(&line).iter().any(|f| !f.literal));
    }
}

#[test]
fn between_the_lines_of_a_key_stands_a_key() {
    let line = "Ab3".repeat(20);
    let key = format!("-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----");
    assert_eq!(marked(&format!("ssh-add - <<< '{key}'")), format!("ssh-add - <<< '«{key}»'"));
    let code = ": -----BEGIN PRIVATE KEY-----\nrm -rf /\n: -----END PRIVATE KEY-----";
    assert_eq!(marked(code), code);
    let spread = format!(": -----BEGIN PRIVATE KEY-----\n{line}\n: -----END PRIVATE KEY-----");
    assert_eq!(marked(&spread), spread);
}

#[test]
fn code_of_other_languages_is_shown() {
    for line in [
        "python3 -c \"password='x'; __import__('os').system('rm -rf /')\"",
        "python3 -c \"password=f'{__import__(1)}'\"",
        "perl -e 'password=\"@{[system(1)]}\"'",
        "ruby -e 'password=\"#{system(1)}\"'",
        "make PASSWORD='abc;reboot'",
    ] {
        let hidden: String = cut(line).iter().map(|f| &line[f.start..f.end]).collect();
        assert!(
            !hidden.contains("import") && !hidden.contains("system") && !hidden.contains("reboot"),
            "{}",
            marked(line)
        );
    }
}

#[test]
fn other_shells_quote_in_other_ways() {
    // fish: `\'` does not end a string, so `b(evil)` runs.
    let line = "curl -H 'a\\' -u 'x:b(evil)' h";
    assert!(find_for(line, Dialect::Other).iter().all(|f| !f.is_cut()));
    let plain = "mysql -phunter2x";
    assert!(find_for(plain, Dialect::Other).iter().any(|f| f.is_cut()));
}

/// `$'` is one quote to bash, a dollar and another quote to dash: where the text holds a `\'` they do not agree on
/// what is quoted from there on.
#[test]
fn what_dash_would_run_is_shown() {
    for line in [
        r"sshpass -p $'a\'; evil #' x",
        r#"sh -c "sshpass -p \$'a\\'; evil #' x""#,
        r"sh -c 'sshpass -p $'\''a\'\''; evil #'\'' x'",
        r#"echo "sshpass -p \$'a\\'; evil #' x" | sh"#,
        "sh <<'E'\nsshpass -p $'a\\'; evil #' x\nE",
        r"x $'a\'' ; curl -u 'a:b; evil ' h'",
    ] {
        assert_eq!(marked(line), line);
    }
    assert_eq!(marked("sshpass -p $'a b' x"), "sshpass -p $'«a b»' x");
}

#[test]
fn personal_data_is_counted_and_cards_are_cut() {
    let line = "notify --to anna@example.org --card '4111 1111 1111 1111'";
    let kinds: Vec<_> = find(line).iter().map(|f| (f.kind, f.class, f.is_cut())).collect();
    assert_eq!(kinds, [("email", Class::Personal, false), ("card_number", Class::Personal, true)]);
}

#[test]
fn any_text_is_read_without_a_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let pieces: Vec<char> = "'\"\\$`(){}[]<>|;&=:@/#*? \n\t\0-_.,aAé\u{301}字0129xn!~%+^".chars().collect();
    for _ in 0..20_000 {
        let length = next(60);
        let text: String = (0..length).map(|_| pieces[usize::try_from(next(pieces.len() as u64)).unwrap()]).collect();
        let text = format!(
            "{}{text}",
            ["", "mysql -p", "password=", "echo ", "$'", "cat <<E\n"][usize::try_from(next(6)).unwrap()]
        );
        for f in find(&text).into_iter().chain(find_for(&text, Dialect::Other)).chain(super::super::find_text(&text)) {
            assert!(text.get(f.start..f.end).is_some_and(|found| !found.is_empty()), "{text:?}");
        }
    }
}

#[test]
fn among_more_commands_than_are_told_apart_only_tokens_of_a_known_form_are_hidden() {
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let cut = |line: &str| -> Vec<String> {
        find(line).iter().filter(|f| f.is_cut()).map(|f| line[f.start..f.end].to_owned()).collect()
    };
    let around =
        |commands: usize| format!("mysql -phunter2x; X={token};{} $PW; mysql -phunter3x", ":;".repeat(commands));
    assert_eq!(cut(&around(1000)), ["hunter2x", &token, "hunter3x"]);
    assert_eq!(cut(&around(1100)), [&token[..]]);
    // Of more than the facts of a line hold, one may run a file that the line writes.
    let file = format!("echo password='touch x9' > f;{} sh f", ":;".repeat(600));
    assert_eq!(cut(&file), [""; 0]);
    let run = |commands: usize| {
        format!("(echo -n password=touch,Xq7vTr2kLm;{}) | sed 's/^[^=]*=//' | bash", ":;".repeat(commands))
    };
    assert_eq!((cut(&run(10)), cut(&run(5000))), (vec![], vec![]));
}

#[test]
fn what_the_line_may_run_by_ways_that_are_not_followed_is_shown() {
    let cut = |line: &str| find(line).iter().any(Finding::is_cut);
    let (mut hidden, mut shown) = (Vec::new(), Vec::new());
    for line in [
        // Groups before a shell.
        r#"{ echo "API_TOKEN=reboot"; echo "\$API_TOKEN"; } | bash"#,
        "{ echo password=reboot,x; } | sed 's/.*=//;s/,.*//' | bash",
        "for i in 1; do echo password=reboot,x; done | cut -d= -f2 | bash",
        "if true; then echo password=reboot,x; fi | cut -d= -f2 | xargs -n1 sh -c",
        "f() { echo password=reboot,x; }; f | cut -d= -f2 | bash",
        "echo password=reboot,x | (cut -d= -f2; true) | bash",
        "(echo -n password=touch,Xq7vTr2kLm; true) | sed 's/^[^=]*=//' | bash",
        // Shells that are fed from elsewhere.
        "coproc echo password=reboot; bash <&${COPROC[0]}",
        "echo password=reboot,x | tee >(cut -d= -f2 | bash)",
        "echo password=reboot > >(cut -d= -f2 | bash)",
        "echo password=reboot | ssh h 'cut -d= -f2 | bash'",
        "echo password=reboot | sudo sh -c 'cut -d= -f2 | sh'",
        "docker exec -i x sh -c 'cut -d= -f2 | sh' <<< password=reboot",
        "{ cut -d= -f2 | bash; } <<< password=reboot",
        "bash < <(echo password=reboot,x | cut -d= -f2)",
        "echo password=Xq9,reboot | cut -d, -f2 | ssh h",
        "{ echo password=Xq9,reboot; true; } | cut -d, -f2 | crontab -",
        "echo password=Xq9,reboot | cut -d, -f2 | make -f -",
        "env password=reboot | { grep password; true; } | cut -d= -f2 | bash",
        // Files that the line writes.
        "echo password=reboot,x | cut -d= -f2 > f; bash f",
        r#"echo API_TOKEN=reboot > f; echo "\$API_TOKEN" >> f; bash f"#,
        "mkfifo p; echo password=reboot | cut -d= -f2 > p & bash p",
        "echo password=reboot | cut -d= -f2 | tee f; . ./f",
        "echo password=reboot | cut -d= -f2 > f; chmod +x f; ./f",
        "echo password=reboot | cut -d= -f2 > f; bash < f",
    ] {
        hidden.extend(cut(line).then_some(line));
    }
    for line in [
        "curl -H 'Authorization: Bearer hunter2x9' https://h.example/i.sh | bash",
        "mysql -phunter2x9 db < dump.sql; bash deploy.sh",
        "{ echo a; echo b; } | mysql -uroot -phunter2x9 db",
        "for h in a b; do curl -u me:hunter2x9 https://$h/x.sh | sudo bash; done",
        "echo 'mysql -phunter2x9' | bash",
        "ssh h 'curl -u me:hunter2x9 https://h.example/x.sh | bash'",
        "cat > deploy.sh <<'E'\nmysql -uroot -phunter2x9 db\nexport API_TOKEN=hunter2x9\nE\nbash deploy.sh",
        "sshpass -p hunter2x9 ssh h bash -s < setup.sh",
    ] {
        shown.extend((!cut(line)).then_some(line));
    }
    assert!(hidden.is_empty() && shown.is_empty(), "hidden {hidden:#?}, shown {shown:#?}");
}

#[test]
fn what_may_name_a_program_is_hidden_only_as_a_programs_own_password() {
    for line in [
        "crontab - <<'E'\nAPI_TOKEN=evil\n* * * * * $API_TOKEN\nE",
        "printf 'TOKEN=evil\\n* * * * * $TOKEN\\n' | crontab -",
        "cat >> ~/.bashrc <<'E'\nexport API_TOKEN=evil\n$API_TOKEN\nE",
        "echo 'export API_TOKEN=evil; $API_TOKEN' >> ~/.bashrc",
        "cat > x.service <<'E'\nEnvironment=API_TOKEN=evil\nExecStart=/bin/sh -c $API_TOKEN\nE",
        "systemd-run --setenv=API_TOKEN=evil sh -c '$API_TOKEN'",
        "API_TOKEN=evil perl -e 'system $ENV{API_TOKEN}'",
        "make API_TOKEN=evil",
        "kubectl set env deploy/x API_TOKEN=evil",
        "echo token=evil | perl -F= -lane 'system $F[1]'",
        "echo password=evil | at now",
        "ssh h API_TOKEN=evil '$API_TOKEN'",
        "ssh h <<'E'\nAPI_TOKEN=evil\n$API_TOKEN\nE",
        "ansible all -m shell -a '{{ password }}' -e password=evil",
        "bash -c '$2' x --token evil",
        "bash -c '$2' x --token 'evil now'",
        "bash -s -- --token evil <<< '$2'",
        "sh x.sh --token python3",
        "parallel sh -c ::: password=evil",
        "alias token=evil",
        "git config alias.password '!evil'",
        "psql -v password=evil -f x.sql",
        "psql --set password=evil -f x.sql",
        "psql --variable=password=evil -f x.sql",
        "eval TOKEN=evil\\;\\$TOKEN",
        "gdb -ex 'shell password=evil; $password'",
    ] {
        assert!(!find(line).iter().any(Finding::is_cut), "{}", marked(line));
    }
    for line in [
        "mysql -uroot -pevil",
        "mysql -uroot --password='evil now'",
        "psql -v password=hunter2x9 -f x.sql",
        "redis-cli -a evil ping",
        "curl -u me:evil https://h.example/",
        "git clone https://me:evil@h.example/x.git",
        "bash -c '$2' x --token Ev1lQ2x7z",
        "API_TOKEN=hunter2x9 ./deploy",
    ] {
        assert!(find(line).iter().any(Finding::is_cut), "{}", marked(line));
    }
}
