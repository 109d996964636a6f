//! Every check of offline verification: its stable id, the exit code it leads
//! to, what it means and what to do next. docs/AUDIT.md has the same rows; a test compares them.

/// What a finding leads to. The numbers are the exit codes of
/// `countersign verify` (design page LEDGER.md, Offline verification).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// Sound, but nobody besides the host itself vouches for it.
    UnderWitnessed,
    /// Sound so far, incomplete.
    Incomplete,
    /// No trust given, or nothing to verify.
    NoTrust,
    /// Two different lines for one `seq`.
    Fork,
    /// Hash, signature, grammar, commitment or order of entries is wrong.
    Invalid,
    /// Entries or openings are missing.
    Missing,
    /// A recording does not match.
    Recording,
    /// Something ran without a valid, timely decision.
    NotDecided,
    /// An undeclared time anomaly.
    Time,
}

impl Code {
    /// Most severe first.
    pub const BY_SEVERITY: [Self; 9] = [
        Self::Invalid,
        Self::Missing,
        Self::Recording,
        Self::NotDecided,
        Self::Fork,
        Self::Time,
        Self::NoTrust,
        Self::Incomplete,
        Self::UnderWitnessed,
    ];

    /// The exit code.
    pub fn exit(self) -> u8 {
        match self {
            Self::UnderWitnessed => 10,
            Self::Incomplete => 11,
            Self::NoTrust => 20,
            Self::Fork => 30,
            Self::Invalid => 40,
            Self::Missing => 41,
            Self::Recording => 42,
            Self::NotDecided => 50,
            Self::Time => 51,
        }
    }

    /// 0 for the least severe, growing with severity.
    pub fn severity(self) -> usize {
        let place = Self::BY_SEVERITY.iter().position(|c| *c == self).unwrap_or(0);
        Self::BY_SEVERITY.len().saturating_sub(place.saturating_add(1))
    }
}

/// A row of [`CHECKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInfo {
    /// The check.
    pub check: Check,
    /// Its stable id, e.g. `chain.prev`.
    pub id: &'static str,
    /// What a failure leads to.
    pub code: Code,
    /// What it means.
    pub explain: &'static str,
    /// What to do next, in a sentence.
    pub next: &'static str,
}

/// What to do next about several checks.
const COMPARE: &str = "Keep this copy, fetch the host's history from the service (`countersign bundle --host NAME -o FILE`) and verify that: where it is sound this copy was changed, else the host wrote it so.";
const FRESH: &str =
    "Get a fresh copy, made with `countersign bundle`; if it says the same, keep both and ask who had the files.";
const MISSING: &str = "Fetch what is missing from the service (`countersign bundle --host NAME -o FILE`) and verify that; if the host's own copy lacks it, somebody took it out there.";
const MISUSED: &str =
    "Keep this copy, find out who had root on the host then, and enrol the host anew: its key cannot be relied on.";
const RAN: &str = "Take it as an incident: let nobody log in as this agent, keep the host as it is, and look at what ran (`countersign replay ID`).";
const RULE: &str = "Look at what ran (`countersign show ID`), and find out who changed the rules or the host then: no honest service lets this pass.";
const REVIEW: &str = "Ask the people it names whether they approved it; if not, take it as an incident and look at what ran (`countersign replay ID`).";
const ADMINS: &str = "Ask the administrators whether that document is theirs; until they say so, take nothing that ran under it as approved.";
const REMOVED: &str =
    "Ask the administrators who took it out and why; the service's copy or an older bundle may still show what it was.";
const FORKED: &str = "Keep every copy: two parties were shown two histories; fetch the service's, and have its operator run `countersign-server forks`.";

macro_rules! checks {
    ($($name:ident $id:literal $code:ident $explain:literal $next:tt)*) => {
        /// One check of offline verification.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Check {
            $(#[doc = $explain] $name,)*
        }

        /// Every check, in the order of the layers they look at.
        pub const CHECKS: &[CheckInfo] =
            &[$(CheckInfo { check: Check::$name, id: $id, code: Code::$code, explain: $explain, next: $next },)*];

        impl Check {
            /// Its stable id, e.g. `chain.prev`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What a failure leads to.
            pub fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// What it means.
            pub fn means(self) -> &'static str {
                match self { $(Self::$name => $explain,)* }
            }

            /// What to do next.
            pub fn next(self) -> &'static str {
                match self { $(Self::$name => $next,)* }
            }
        }
    };
}

checks! {
    SourceUnknown "source.unknown" NoTrust
        "What was given is no state directory, journal or bundle, or cannot be read. Name a state directory, a directory with `journal` in it, one .jsonl file of it, or a bundle."
        "Check the path; `countersign bundle` makes a file that can be verified anywhere."
    SourceEmpty "source.empty" NoTrust
        "The source holds no entry, so there is nothing to verify."
        "Check the path; a host writes its first entry when it is enrolled."
    SourceDamaged "source.damaged" Invalid
        "A file or folder of the source is not what it must be (a link, a folder in place of a file, a name that is not allowed), or failed while it was read. Get a fresh copy."
        FRESH
    BundleDamaged "bundle.damaged" Invalid
        "The bundle's structure is wrong: a bad or cut tar, a link, a name that is not allowed or stands twice, bytes that belong to no member, or a bad bundle.json. Get a fresh copy."
        FRESH
    JournalName "journal.name" Invalid
        "A journal file's name is not the seq of its first entry in 16 digits: files were renamed or cut at the front."
        FRESH
    JournalTorn "journal.torn" Incomplete
        "The last line has no newline: the journal was copied while it was written, or a power cut tore the line. It is left out of what was verified."
        "Nothing, if the daemon was writing just then: verify again, and it should be gone."
    GrammarLeaf "grammar.leaf" Invalid
        "A line is not an entry: a byte, member, order, number or length that the grammar of docs/LEDGER.md does not allow."
        COMPARE
    MemberType "member.type" Invalid
        "A known kind of entry lacks a member that it must have, or has one of the wrong type."
        COMPARE
    KindSess "kind.sess" Invalid
        "An entry that belongs to a login has no `sess`, or one that belongs to none has it."
        COMPARE
    KindPlace "kind.place" Invalid
        "A host's ledger holds an entry that only a service writes, or a service's own ledger one of a login or a checkpoint, which only itself could cosign."
        COMPARE
    ChainSeq "chain.seq" Missing
        "Entries are missing: `seq` jumps, or the journal does not begin at 0."
        MISSING
    ChainOrder "chain.order" Invalid
        "An entry stands at the wrong place: its `seq` is smaller than that of entries before it."
        COMPARE
    ChainRepeat "chain.repeat" Invalid
        "The same entry stands in the journal twice."
        COMPARE
    ChainPrev "chain.prev" Invalid
        "`prev` is not the leaf hash of the entry before it: one of the two was changed or put in."
        COMPARE
    ChainHost "chain.host" Invalid
        "An entry names another host than the journal's first entry."
        COMPARE
    ForkSeq "fork.seq" Fork
        "Two different entries with valid signatures have the same `seq`: the host's key signed two histories."
        "Find out whether the host was cloned or set back to a backup; if not, its key is stolen: keep both histories and enrol it anew."
    SigEntry "sig.entry" Invalid
        "The entry's signature is not valid: it was changed, or another key signed it."
        COMPARE
    SigKeyUnknown "sig.key_unknown" Invalid
        "The entry names a key that is not the host's trusted key."
        "Ask the service for its trust file once more; if this host's key is the same there, keep this copy: another key wrote it."
    SigKeyRange "sig.key_range" Invalid
        "The entry names a key of this host that does not sign there: an epoch outside its range of seq, or the identity key after the first epoch."
        COMPARE
    KeyMissing "key.missing" Missing
        "The certificate of the key that signs from here on is among the missing entries, so its signatures cannot be checked."
        MISSING
    KeyCertificate "key.certificate" Invalid
        "A `key_rotated` whose certificate is not good: not by the identity key or the epoch before, for another host, place or key, or for a key that was used before or is the service's."
        MISUSED
    KeyEpoch "key.epoch" Invalid
        "An epoch signs more than 4,096 entries, for more than 24 hours, or in another boot than the one it began in."
        MISUSED
    KeyStart "key.start" Invalid
        "The identity key certifies a key where the daemon did not start, or the daemon started without such a certificate."
        MISUSED
    CommitOpening "commit.opening" Invalid
        "A value in `vals` does not match its commitment, stands where no commitment is, or is badly written: the text shown is not the text recorded."
        COMPARE
    CommitLength "commit.length" Invalid
        "The segments of a command, or of the program on its standard input, add up to more than `cmd_bytes` or `stdin_bytes`."
        COMPARE
    CommitMissing "commit.missing" Missing
        "A commitment has no opening, and nothing declares that it was redacted or erased: the text was cut out."
        "Ask who took the text out; the service may still hold it (`countersign show ID`)."
    EnrolFirst "enrol.first" Invalid
        "`host_enrolled` must be the entry with seq 0, and no other."
        COMPARE
    TrustNone "trust.none" NoTrust
        "No trust file was given. Hashes, chains and signatures were checked against the journal's own keys, which proves consistency only. Get trust.json from the service, not from the bundle."
        "Get the trust file from whoever runs the service (`countersign-server trust`), not with the bundle, and name it with --trust."
    TrustHost "trust.host" NoTrust
        "The trust file does not know this host."
        "Ask for a trust file that was printed after this host was enrolled (`countersign-server trust`)."
    TrustHostKey "trust.host_key" Invalid
        "The identity key in `host_enrolled` is not the trust file's key for this host: another machine wrote this history, or the trust file is another installation's."
        "Ask the service's operator which key this host has; if it is the trust file's, this is another machine's history."
    TrustService "trust.service" NoTrust
        "The trust file does not know the service this host was enrolled with."
        "Ask for the trust file of the service that this host was enrolled with."
    TrustServiceKey "trust.service_key" Invalid
        "The decision key in `host_enrolled` is not the trust file's key for that service."
        "Ask the service's operator for its key; if it is the trust file's, this host was enrolled with another service."
    AuthorityDocument "authority.document" Invalid
        "The administrators' document in a `policy_changed` is malformed, or its digest or version is not the one that the entry names."
        ADMINS
    AuthoritySignature "authority.signature" Invalid
        "The administrators' document in a `policy_changed` is not signed by as many of the trust file's `admins` as must."
        ADMINS
    AuthorityVersion "authority.version" Invalid
        "A `policy_changed` brings a document whose version is not higher than that of the one before: an old one was brought back."
        ADMINS
    PolicyText "policy.text" Invalid
        "The text of a policy in a `policy_text` is not the one that its digest names, or a part of it is out of place."
        COMPARE
    TimeMonoFalls "time.mono_falls" Time
        "`mono` falls within one boot, which CLOCK_BOOTTIME never does."
        COMPARE
    TimeJump "time.jump" Time
        "Between two entries of one boot, wall clock and boot clock moved apart by more than 500 ms, and no `clock_step` says so, or it says another step: the wall clock was set."
        "Find out in the host's log who or what set its clock, and take the times around that entry as doubtful."
    TimeBoot "time.boot" Time
        "Entries of a boot begin without `host_started`, or a boot comes back after another one."
        "Compare with the host's own list of boots (`last -x`), then with the service's copy of this history."
    TimeSilence "time.silence" Incomplete
        "Between two entries of one run of the daemon more than two heartbeats are missing: it was stopped, the machine slept, or the disk hung. What happened then is not known."
        "See in the host's log what happened then: a stop, a machine that slept, a full disk."
    SessChain "sess.chain" Invalid
        "`sess.n` or `sess.prev` does not continue the login's chain: an entry of it was changed, taken out or put in."
        COMPARE
    SessGap "sess.gap" Missing
        "Entries of a login are among the missing ones, so its later entries cannot be fully checked."
        MISSING
    SessOrder "sess.order" Invalid
        "A login does not begin with `session_opened`, goes on after `session_closed`, or its id is used again."
        COMPARE
    SessAfterRestart "sess.after_restart" Invalid
        "A login that was open when the host started again submitted or started a command before its front took it up again, or started what was submitted before; otherwise it may only be closed by the host."
        COMPARE
    SessResumed "sess.resumed" Invalid
        "A `session_resumed` does not show that the login's own front goes on: no restart before it, another boot, a key that is no secret of that front, or commands left open that should not be."
        COMPARE
    SessOpen "sess.open" Incomplete
        "A login is still open at the end of what was verified."
        "Nothing, while the agent is logged in: verify again when it has logged out."
    SessRecovered "sess.recovered" Incomplete
        "A login was closed on recovery after a crash; what happened right before is not known."
        "See in the host's log why the daemon or the machine went down, and replay the end of that login."
    SubmissionRepeat "submission.repeat" Invalid
        "A submission's id is used twice."
        COMPARE
    SubmissionUndecided "submission.undecided" Incomplete
        "A command has no `decided` entry. It did not run."
        "Nothing, since it did not run; where there are many, see whether the host loses its service."
    DecidedOf "decided.of" Invalid
        "`decided` names an entry that is not the `command_submitted` of the same login and id, or repeats a decision."
        COMPARE
    DecisionCutCommand "decision.cut_command" NotDecided
        "A command was let run of which only a part is recorded."
        RAN
    DecisionMissing "decision.missing" NotDecided
        "A command was let run without a signed statement of the service."
        RAN
    DecisionSignature "decision.signature" NotDecided
        "The statement that let a command run is malformed or its signature is not valid."
        RAN
    DecisionKey "decision.key_unknown" NotDecided
        "The statement that let a command run is signed by a key that is not the trusted service key."
        "Make sure that the trust file is of this service; if it is, take it as an incident and look at what ran (`countersign replay ID`)."
    DecisionHost "decision.host" NotDecided
        "The statement that let a command run was made for another host."
        RAN
    DecisionEntry "decision.entry" NotDecided
        "The statement that let a command run was made for another entry: a decision was reused, or the command changed after it."
        RAN
    DecisionNonce "decision.nonce" NotDecided
        "The statement that let a command run does not have the submission's nonce."
        RAN
    DecisionOutcome "decision.outcome" NotDecided
        "The statement does not say what `decided` claims: a refusal recorded as an approval, another decider, or a decider who cannot approve."
        RAN
    DecisionNeedsPerson "decision.needs_person" NotDecided
        "A rule or grant let a command run that only a person may let run: the host had marked it (`flags`, also with a mark that this version does not know), or it reads a program from standard input."
        RULE
    DecisionWords "decision.words" NotDecided
        "A rule let a command run that starts a program which the host did not know as a builtin or as root's."
        RULE
    DecisionRule "decision.rule" NotDecided
        "A rule, grant or threshold is said to have let a command run, and the policy that the statement names, evaluated again on what is recorded, does not let it."
        RULE
    DecisionNotShown "decision.not_shown" UnderWitnessed
        "A command was let run by a rule of the administrators' document, and whether that rule lets it cannot be told from what is here: a part of the record is missing or was hidden, another version of the analyzer applied it, this verifier knows no rules, or the trust file names no administrators."
        "Verify the whole history with the trust file that names the administrators, and with the version of countersign that ran then; else have a person look at the command (`countersign show ID`)."
    DecisionExpiry "decision.expiry" NotDecided
        "The statement allows more time than the submission waited for."
        RAN
    DecisionLate "decision.late" NotDecided
        "A command was decided or started after the statement had expired, or in another boot, and `exec_finished` does not say `not_released`."
        RAN
    AuthorityMissing "authority.missing" NotDecided
        "The trust file names administrators, and a command was let run before any `policy_changed` of theirs: nobody's signature but the service's let it run."
        "Ask the administrators since when their document was to be in force; if it was then, look at what ran (`countersign replay ID`)."
    AuthorityNotInForce "authority.not_in_force" NotDecided
        "A command was let run whose submission does not name the administrators' document in force then, with as many people as it demands, or that document cannot be read."
        "Ask the administrators which document was in force then; if it was another one, look at what ran (`countersign replay ID`)."
    ReviewRule "review.rule" NotDecided
        "A command was let run by a grant or threshold, or by a rule, although the administrators' document has none."
        RULE
    ReviewMissing "review.missing" NotDecided
        "An approval does not hold valid reviews of as many distinct people as the administrators' document demands, or none of the person it says has decided."
        REVIEW
    ReviewInvalid "review.invalid" NotDecided
        "A review is malformed, not validly signed, by a key that is not in the document in force, in another's name, or made under another document."
        REVIEW
    ReviewEntry "review.entry" NotDecided
        "A review is about another entry, host or nonce, says no, or allows more time than the submission waited for."
        REVIEW
    ReviewRevoked "review.revoked" NotDecided
        "A review is signed with a key that the trust file lists as revoked at that time."
        "Ask the key's owner whether the approval is theirs; if not, take it as an incident and look at what ran (`countersign replay ID`)."
    RefusalStatement "refusal.statement" Invalid
        "The statement beside a refusal is malformed, not validly signed, or made for something else, or there is none although somebody is said to have refused. (An approval beside a timeout is in order: it came too late.)"
        "Nothing ran; ask the service's operator who refused it, since this copy does not prove it."
    RefusalRule "refusal.rule" Invalid
        "A deny rule is said to have refused a command, and the policy that the statement names, evaluated again on what is recorded, does not."
        "Nothing ran; try the line with `countersign rules test`, and ask who changed the rules."
    RunWithoutDecision "run.without_decision" NotDecided
        "`exec_started` names no `decided` entry of the same login and id that lets it run."
        RAN
    RunTwice "run.twice" NotDecided
        "A command was started twice on one decision."
        RAN
    RunUnfinished "run.unfinished" Incomplete
        "A command that was started has no `exec_finished`."
        "See in the host's log why it has no end; its recording shows how far it came."
    FinishOf "finish.of" Invalid
        "`exec_finished` names an entry that is not the `exec_started` of the same login and id, or repeats an end."
        COMPARE
    RecordingMissing "recording.missing" Recording
        "The recording of a login is not there."
        "Fetch it from the service (`countersign bundle --host NAME -o FILE`); if it is not there, ask who removed it."
    RecordingDigest "recording.digest" Recording
        "Bytes of a recording are not those whose digest is in the ledger."
        "Do not rely on this recording; fetch the service's copy (`countersign bundle --host NAME -o FILE`) and verify that."
    RecordingChunks "recording.chunks" Recording
        "The chunks of a recording do not follow each other from 0, or do not add up to `session_closed.recording_bytes`."
        COMPARE
    RecordingLength "recording.length" Recording
        "A recording file is shorter or longer than the ledger says."
        "Do not rely on what is beyond the ledger's length; fetch the service's copy (`countersign bundle --host NAME -o FILE`) and verify that."
    RecordingExtra "recording.extra" Recording
        "A recording belongs to no login of the ledger."
        "Ask who put it there; nothing in the ledger is about it."
    RecordingBad "recording.bad" Incomplete
        "The front of a login wrote what no front writes; its recording ends before that."
        "Take the login as attacked: look at what it ran and at the daemon's log of that time."
    RecordingNotGiven "recording.not_given" Incomplete
        "Only a journal was given, so its recordings could not be checked. Verify the directory or a bundle."
        "Verify the state directory or a bundle: they hold the recordings too."
    GapDeclared "gap.declared" Incomplete
        "The host lost its identity key and was enrolled anew: another history, of the id in `former`, went before, and between the two entries may be missing. Verify that one too, with the trust entry it had."
        "Verify the former host's history too, and ask how its key was lost."
    GapPlace "gap.place" Invalid
        "A `gap` stands after a login or a second time, or names another host than `host_enrolled`: it can only begin the history of a host that was enrolled anew, and excuses nothing."
        COMPARE
    RemovalEntry "removal.entry" Invalid
        "An `erasure` or `redaction` names an entry that has another hash, comes later, or has no such private value, or the recording of a login that had not begun or not ended; or a `pruned` states another tree than the one that is left."
        COMPARE
    RemovalEarly "removal.early" Missing
        "Something was erased or pruned that no cosigned checkpoint covered before (of a recording: the end of its login): the service may never have held it."
        REMOVED
    RemovalSignature "removal.signature" Missing
        "An `erasure`, `redaction` or `pruned` is not signed by enough of the administrators that the trust file names, so it excuses nothing."
        REMOVED
    PrunedDeclared "pruned.declared" Incomplete
        "Old entries were removed by the word of the host alone: what ran there cannot be judged. With `admins` in the trust file the administrators must have signed it."
        "For what ran before, verify an older bundle or the service's copy; have the administrators sign the next pruning."
    PartLogin "part.login" Missing
        "The bundle says that it holds a login and does not hold its beginning, no login at all, or every entry since one that it does not reach."
        FRESH
    PartNotWhole "part.not_whole" Missing
        "The whole history was asked for, and this is a part of one."
        "Ask for the whole history, or leave out --whole where a part is what you want to check."
    HeadNotCovered "head.not_covered" Incomplete
        "The head that you know speaks of an entry that this part of a history does not hold, so the two could not be compared."
        "Ask for a part that reaches that entry, or for the whole history."
    CheckpointSize "checkpoint.size" Invalid
        "A `checkpoint` entry speaks of entries after itself, of fewer than the one before it, or of a tree too long ago."
        COMPARE
    CheckpointSignature "checkpoint.signature" Invalid
        "A signature in a `checkpoint` entry does not verify, or the proof that it stands in the service's log does not hold: it was changed or made up."
        COMPARE
    CheckpointRoot "checkpoint.root" Fork
        "The root that the service cosigned is not that of these entries: the service was shown another history than this one."
        FORKED
    ForkService "fork.service" Fork
        "Two checkpoints of the service's log do not continue each other: the service keeps two logs, or this history was put together from two."
        "Keep every copy, and ask the service's operator why it has two logs; other hosts and auditors should compare their checkpoints."
    HeadFork "head.fork" Fork
        "The head that you know is another one here: this is not the history you have seen before."
        FORKED
    HeadMissing "head.missing" Missing
        "You know of entries that are not here: the end was cut off."
        MISSING
    HeadOther "head.other_host" NoTrust
        "The known head is of another host than what is verified."
        "Name a head of this host with --known-head."
    AssuranceBelow "assurance.required" UnderWitnessed
        "The history is vouched for, but not by as many as `--require` asks for."
        "Wait until as many have cosigned the end as you ask for, or ask for less with --require."
    AssuranceSelf "assurance.self_attested" UnderWitnessed
        "Nobody besides the host vouches for the order and completeness of all entries: no checkpoint cosigned by the service, or entries that tell something after the last one, or a signer that shares the uid of the daemon."
        "Verify again a minute later; if the service still has not cosigned the end, `countersign doctor` on the host says why (a trial gets no further)."
}

/// What warnings are about. They lead to nothing.
pub const WARNINGS: &[&str] =
    &["unknown", "authority", "bundle.recipe", "checkpoint.time", "journal.odd", "recordings.odd", "trust.name"];

/// What the check with this id means; `None` for an unknown id.
pub fn explain(id: &str) -> Option<&'static str> {
    CHECKS.iter().find(|info| info.id == id).map(|info| info.explain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_agree() {
        let ids: BTreeSet<_> = CHECKS.iter().map(|info| info.id).collect();
        assert_eq!(ids.len(), CHECKS.len());
        for info in CHECKS {
            assert_eq!((info.check.id(), info.check.code()), (info.id, info.code));
            assert_eq!(explain(info.id), Some(info.explain));
        }
        assert_eq!(explain("no.such"), None);
    }

    #[test]
    fn each_says_what_it_means_and_what_to_do_next_in_a_sentence_and_the_page_too() {
        for info in CHECKS {
            assert_eq!((info.check.means(), info.check.next()), (info.explain, info.next));
            for text in [info.explain, info.next] {
                assert!(text.len() > 20 && text.len() < 320 && text.ends_with(['.', ')']), "{}: {text}", info.id);
            }
            assert!(!info.next.contains(". "), "{}: more than a sentence: {}", info.id, info.next);
        }
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/AUDIT.md")).unwrap();
        let row =
            |info: &CheckInfo| format!("| `{}` | {} | {} | {} |", info.id, info.code.exit(), info.explain, info.next);
        let rows: Vec<String> = CHECKS.iter().map(row).collect();
        let ids: BTreeSet<_> = CHECKS.iter().map(|info| info.id).collect();
        let id = |line: &str| line.split('`').nth(1).unwrap_or_default().to_owned();
        let written: Vec<&str> = page.lines().filter(|line| ids.contains(id(line).as_str())).collect();
        assert_eq!(written, rows, "docs/AUDIT.md should hold:\n{}", rows.join("\n"));
    }

    #[test]
    fn severity_follows_the_design() {
        let order: Vec<_> = Code::BY_SEVERITY.iter().map(|c| c.exit()).collect();
        assert_eq!(order, [40, 41, 42, 50, 30, 51, 20, 11, 10]);
        assert!(Code::Invalid.severity() > Code::Missing.severity());
        assert_eq!(Code::UnderWitnessed.severity(), 0);
    }
}
