use super::*;

fn matches(pattern: &str, line: &str) -> bool {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    Pattern::parse(pattern).unwrap().matches(&words)
}

#[test]
fn a_star_stays_inside_a_word() {
    let rule = "docker pull ghcr.io/myorg/api:*";
    assert!(matches(rule, "docker pull ghcr.io/myorg/api:sha-a3f9b"));
    for other in [
        "docker pull ghcr.io/myorg/api:",
        "docker pull ghcr.io/myorg/api",
        "docker pull ghcr.io/evil/api:x",
        "docker pull ghcr.io/myorg/api:x y",
        "docker pull --debug ghcr.io/myorg/api:x",
        "docker pull ghcr.io/myorg/api:x/../../evil",
        "docker pull ghcr.io/myorg/api:x;id",
        "docker pull ghcr.io/myorg/api:$(id)",
        "docker pull ghcr.io/myorg/api:é",
        "docker push ghcr.io/myorg/api:x",
        "docker",
    ] {
        assert!(!matches(rule, other), "{other}");
    }
    assert!(matches("cat /srv/x/*", "cat /srv/x/a.txt"));
    for out in
        ["cat /srv/x/..", "cat /srv/x/../y", "cat /srv/x/a/../../y", "cat /srv/x/", "cat /srv/x/a/b", "cat /srv/y"]
    {
        assert!(!matches("cat /srv/x/*", out), "{out}");
    }
    assert!(!matches("rsync a:*", "rsync a:.."));
    assert!(matches("cp /srv/*/a/*.txt /x", "cp /srv/b/a/c.txt /x"));
    assert!(!matches("cp /srv/*/a/*.txt /x", "cp /srv/b/c/a/c.txt /x"));
}

#[test]
fn a_wildcard_takes_no_option_where_options_could_do_more_than_show() {
    assert!(matches("ls **", "ls"));
    assert!(matches("ls **", "ls -la --color=always /srv ../x a=b"));
    assert!(!matches("ls **", "ls a;b"));
    assert!(!matches("ls **", "cat x"));
    assert!(matches("systemctl status *", "systemctl status nginx.service"));
    for other in ["systemctl status", "systemctl status -H web", "systemctl status --host=web", "systemctl status a b"]
    {
        assert!(!matches("systemctl status *", other), "{other}");
    }
    assert!(!matches("mytool **", "mytool a -x"));
    assert!(!matches("mytool **", "mytool +x"));
    assert!(matches("mytool --since=* **", "mytool --since=today a"));
    assert!(!matches("/tmp/ls **", "/tmp/ls -l"), "only the bare name is known");
}

#[test]
fn a_regex_is_for_one_whole_word() {
    let rule = "docker pull re:ghcr\\.io/myorg/(api|web):[a-z0-9-]+";
    assert!(matches(rule, "docker pull ghcr.io/myorg/web:sha-1"));
    for other in
        ["docker pull xghcr.io/myorg/web:1", "docker pull ghcr.io/myorg/web:1x;", "docker pull ghcrxio/myorg/web:1"]
    {
        assert!(!matches(rule, other), "{other}");
    }
    assert!(matches("x re:a|b", "x b"), "alternatives are anchored together");
    assert!(!matches("x re:a|b", "x ab"));
    assert!(!matches("x re:.+", "x -o"));
    assert!(!matches("x re:.+", "x a/../b"));
    for bad in ["x re:", "x re:(", "x re:a)|(b", "x re:.*", "x re:(a{1000}){1000}", "x re:\\1"] {
        assert!(matches!(Pattern::parse(bad), Err(BadPattern::Regex { .. })), "{bad}");
    }
}

#[test]
fn bad_patterns_are_refused() {
    for (text, want) in [
        ("", BadPattern::Empty),
        ("  ", BadPattern::Empty),
        ("**", BadPattern::Empty),
        ("*", BadPattern::Program),
        ("* x", BadPattern::Program),
        ("l* x", BadPattern::Program),
        ("re:ls x", BadPattern::Program),
        ("'' x", BadPattern::Program),
        ("ls ** x", BadPattern::Rest),
        ("ls a**", BadPattern::Rest),
        ("ls 'a", BadPattern::OpenQuote),
        ("ls $X", BadPattern::Character('$')),
        ("ls; id", BadPattern::Character(';')),
        ("ls [a]", BadPattern::Character('[')),
        ("ls \"a\"", BadPattern::Character('"')),
        ("ls a'b'", BadPattern::Character('\'')),
        ("ls 'a'b", BadPattern::Character('\'')),
        ("ls é", BadPattern::Character('é')),
        ("ls a\nb", BadPattern::Character('\n')),
    ] {
        assert_eq!(Pattern::parse(text).map(|p| p.text), Err(want), "{text:?}");
    }
    assert_eq!(Pattern::parse(&format!("ls {}", "a".repeat(3000))), Err(BadPattern::TooLong));
    assert_eq!(Pattern::parse(&"a ".repeat(65)), Err(BadPattern::TooLong));
    let quoted = Pattern::parse("printf '%s *'").unwrap();
    assert!(quoted.matches(&["printf".to_owned(), "%s *".to_owned()]));
    assert!(!quoted.matches(&["printf".to_owned(), "%s x".to_owned()]));
}

#[test]
fn rules_that_refuse_read_widely() {
    let could = |pattern: &str, words: &[Option<&str>]| {
        let words: Vec<Option<String>> = words.iter().map(|w| w.map(str::to_owned)).collect();
        Pattern::parse(pattern).unwrap().could_match(&words)
    };
    assert_eq!(could("rm **", &[Some("/bin/rm"), Some("-rf"), None]), Could::Surely);
    assert_eq!(could("rm -rf *", &[Some("rm"), Some("-rf"), Some("/srv/a b;$x")]), Could::Surely);
    assert_eq!(could("rm -rf *", &[Some("rm"), None]), Could::Maybe);
    assert_eq!(could("rm -rf *", &[None, Some("-rf")]), Could::Maybe);
    assert_eq!(could("rm -rf *", &[Some("rm"), Some("-r"), Some("x")]), Could::Not);
    assert_eq!(could("rm", &[Some("rm"), None]), Could::Maybe);
    assert_eq!(could("rm", &[Some("rm"), Some("x")]), Could::Not);
    assert_eq!(could("rm x", &[Some("rm")]), Could::Not);
    assert_eq!(could("/bin/rm x", &[Some("/usr/bin/rm"), Some("x")]), Could::Not);
    assert_eq!(could("rm x", &[Some("xrm"), Some("x")]), Could::Not);
    let (short, long) = ("x".repeat(4096), "x".repeat(4097));
    assert_eq!(could("rm re:x*y", &[Some("rm"), Some(&short)]), Could::Not);
    assert_eq!(could("rm re:x*y", &[Some("rm"), Some(&long)]), Could::Maybe, "not searched, and not let through");
    assert_eq!(could("rm *", &[Some("rm"), Some(&long)]), Could::Surely);
}
