//! One agent that floods: what goes beyond its quota is refused unasked, counted, and costs nobody else.

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::run;

#[test]
fn beyond_the_quota_nothing_is_asked_and_the_count_is_recorded() {
    let parts = Parts::with_quota(5);
    parts.reviewer().allow("echo fits");
    for _ in 0..5 {
        assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    }
    for _ in 0..3 {
        let ended = run(&mut parts.front("echo fits")).expect(126).says(&["5 commands within a minute"]);
        assert_eq!(ended.out(), "");
    }
    let lines = parts.journal();
    assert_eq!(journal::of_kind(&lines, "command_submitted").len(), 5, "the others were not asked about");
    assert_eq!(journal::of_kind(&lines, "exec_started").len(), 5);
    let counted: u64 = journal::of_kind(&lines, "session_opened")
        .iter()
        .filter_map(|entry| entry["body"]["turned_away"].as_u64())
        .sum();
    assert_eq!(counted, 2, "two of three stand in the logins that came after them");
    parts.verify().expect(10);
}
