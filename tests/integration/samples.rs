//! The files of packaging/ and systemd/, as the programs that read them see them.

use std::process::Command;

use countersign_tests::programs::repository;
use countersign_tests::run::run;

#[test]
fn units_name_the_paths_of_the_configuration() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect("a sample");
    let hostd = read("packaging/etc/countersign/hostd.toml");
    let shell = read("packaging/etc/countersign/countersign-sh.toml");
    let unit = read("systemd/countersign-hostd.service");
    let socket = |text: &str| text.lines().find(|line| line.starts_with("socket = ")).expect("a socket").to_owned();
    assert_eq!(socket(&hostd), socket(&shell));
    let runtime = unit.lines().find_map(|line| line.strip_prefix("RuntimeDirectory=")).expect("RuntimeDirectory");
    assert!(socket(&hostd).contains(&format!("\"/run/{runtime}/")));
    let state = unit.lines().find_map(|line| line.strip_prefix("StateDirectory=")).expect("StateDirectory");
    assert!(hostd.contains(&format!("state_dir = \"/var/lib/{state}\"")));
    let accounts = read("systemd/sysusers.d/countersign.conf");
    for unit in ["countersign-hostd", "countersign-server"] {
        let text = read(&format!("systemd/{unit}.service"));
        let user = text.lines().find_map(|line| line.strip_prefix("User=")).expect("User").to_owned();
        assert!(accounts.lines().any(|line| line.split_whitespace().take(2).eq(["u", user.as_str()])), "{user}");
    }
}

#[test]
fn systemd_takes_the_units() {
    for unit in ["countersign-hostd", "countersign-server"] {
        let path = repository().join(format!("systemd/{unit}.service"));
        let ended =
            run(Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no"]).arg(path));
        let complaints: Vec<_> = ended
            .err()
            .lines()
            .filter(|line| line.contains(".service") && !line.contains("is not executable"))
            .map(str::to_owned)
            .collect();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}
