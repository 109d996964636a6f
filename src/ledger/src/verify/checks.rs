//! Every check of offline verification: its stable id, the exit code it leads
//! to, and what `countersign verify --explain` says of it.

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
    /// What it means and what to look at next.
    pub explain: &'static str,
}

macro_rules! checks {
    ($($name:ident $id:literal $code:ident $explain:literal)*) => {
        /// One check of offline verification.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Check {
            $(#[doc = $explain] $name,)*
        }

        /// Every check, in the order of the layers they look at.
        pub const CHECKS: &[CheckInfo] =
            &[$(CheckInfo { check: Check::$name, id: $id, code: Code::$code, explain: $explain },)*];

        impl Check {
            /// Its stable id, e.g. `chain.prev`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What a failure leads to.
            pub fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }
        }
    };
}

checks! {
    SourceUnknown "source.unknown" NoTrust
        "What was given is no state directory, journal or bundle, or cannot be read. Name a state directory, a directory with `journal` in it, one .jsonl file of it, or a bundle."
    SourceEmpty "source.empty" NoTrust "The source holds no entry, so there is nothing to verify."
    SourceDamaged "source.damaged" Invalid
        "A file or folder of the source is not what it must be (a link, a folder in place of a file, a name that is not allowed), or failed while it was read. Get a fresh copy."
    BundleDamaged "bundle.damaged" Invalid
        "The bundle's structure is wrong: a bad or cut tar, a link, a name that is not allowed or stands twice, bytes that belong to no member, or a bad bundle.json. Get a fresh copy."
    JournalName "journal.name" Invalid
        "A journal file's name is not the seq of its first entry in 16 digits: files were renamed or cut at the front."
    JournalTorn "journal.torn" Incomplete
        "The last line has no newline: the journal was copied while it was written, or a power cut tore the line. It is left out of what was verified."
    GrammarLeaf "grammar.leaf" Invalid
        "A line is not an entry: a byte, member, order, number or length that the grammar of docs/LEDGER.md does not allow."
    MemberType "member.type" Invalid
        "A known kind of entry lacks a member that it must have, or has one of the wrong type."
    KindSess "kind.sess" Invalid
        "An entry that belongs to a login has no `sess`, or one that belongs to none has it."
    KindPlace "kind.place" Invalid
        "A host's ledger holds an entry that only a service writes, or a service's own ledger one of a login or a checkpoint, which only itself could cosign."
    ChainSeq "chain.seq" Missing "Entries are missing: `seq` jumps, or the journal does not begin at 0."
    ChainOrder "chain.order" Invalid "An entry stands at the wrong place: its `seq` is smaller than that of entries before it."
    ChainRepeat "chain.repeat" Invalid "The same entry stands in the journal twice."
    ChainPrev "chain.prev" Invalid
        "`prev` is not the leaf hash of the entry before it: one of the two was changed or put in."
    ChainHost "chain.host" Invalid "An entry names another host than the journal's first entry."
    ForkSeq "fork.seq" Fork
        "Two different entries with valid signatures have the same `seq`: the host's key signed two histories."
    SigEntry "sig.entry" Invalid "The entry's signature is not valid: it was changed, or another key signed it."
    SigKeyUnknown "sig.key_unknown" Invalid "The entry names a key that is not the host's trusted key."
    SigKeyRange "sig.key_range" Invalid
        "The entry names a key of this host that does not sign there: an epoch outside its range of seq, or the identity key after the first epoch."
    KeyMissing "key.missing" Missing
        "The certificate of the key that signs from here on is among the missing entries, so its signatures cannot be checked."
    KeyCertificate "key.certificate" Invalid
        "A `key_rotated` whose certificate is not good: not by the identity key or the epoch before, for another host, place or key, or for a key that was used before or is the service's."
    KeyEpoch "key.epoch" Invalid
        "An epoch signs more than 4,096 entries, for more than 24 hours, or in another boot than the one it began in."
    KeyStart "key.start" Invalid
        "The identity key certifies a key where the daemon did not start, or the daemon started without such a certificate."
    CommitOpening "commit.opening" Invalid
        "A value in `vals` does not match its commitment, stands where no commitment is, or is badly written: the text shown is not the text recorded."
    CommitLength "commit.length" Invalid
        "The segments of a command, or of the program on its standard input, add up to more than `cmd_bytes` or `stdin_bytes`."
    CommitMissing "commit.missing" Missing
        "A commitment has no opening, and nothing declares that it was redacted or erased: the text was cut out."
    EnrolFirst "enrol.first" Invalid "`host_enrolled` must be the entry with seq 0, and no other."
    TrustNone "trust.none" NoTrust
        "No trust file was given. Hashes, chains and signatures were checked against the journal's own keys, which proves consistency only. Get trust.json from the service, not from the bundle."
    TrustHost "trust.host" NoTrust "The trust file does not know this host."
    TrustHostKey "trust.host_key" Invalid
        "The identity key in `host_enrolled` is not the trust file's key for this host: another machine wrote this history, or the trust file is another installation's."
    TrustService "trust.service" NoTrust "The trust file does not know the service this host was enrolled with."
    TrustServiceKey "trust.service_key" Invalid
        "The decision key in `host_enrolled` is not the trust file's key for that service."
    AuthorityDocument "authority.document" Invalid
        "The administrators' document in a `policy_changed` is malformed, or its digest or version is not the one that the entry names."
    AuthoritySignature "authority.signature" Invalid
        "The administrators' document in a `policy_changed` is not signed by as many of the trust file's `admins` as must."
    AuthorityVersion "authority.version" Invalid
        "A `policy_changed` brings a document whose version is not higher than that of the one before: an old one was brought back."
    PolicyText "policy.text" Invalid
        "The text of a policy in a `policy_text` is not the one that its digest names, or a part of it is out of place."
    TimeMonoFalls "time.mono_falls" Time "`mono` falls within one boot, which CLOCK_BOOTTIME never does."
    TimeJump "time.jump" Time
        "Between two entries of one boot, wall clock and boot clock moved apart by more than 500 ms, and no `clock_step` says so, or it says another step: the wall clock was set."
    TimeBoot "time.boot" Time
        "Entries of a boot begin without `host_started`, or a boot comes back after another one."
    TimeSilence "time.silence" Incomplete
        "Between two entries of one run of the daemon more than two heartbeats are missing: it was stopped, the machine slept, or the disk hung. What happened then is not known."
    SessChain "sess.chain" Invalid
        "`sess.n` or `sess.prev` does not continue the login's chain: an entry of it was changed, taken out or put in."
    SessGap "sess.gap" Missing
        "Entries of a login are among the missing ones, so its later entries cannot be fully checked."
    SessOrder "sess.order" Invalid
        "A login does not begin with `session_opened`, goes on after `session_closed`, or its id is used again."
    SessAfterRestart "sess.after_restart" Invalid
        "A login that was open when the host started again submitted or started a command before its front took it up again, or started what was submitted before; otherwise it may only be closed by the host."
    SessResumed "sess.resumed" Invalid
        "A `session_resumed` does not show that the login's own front goes on: no restart before it, another boot, a key that is no secret of that front, or commands left open that should not be."
    SessOpen "sess.open" Incomplete "A login is still open at the end of what was verified."
    SessRecovered "sess.recovered" Incomplete
        "A login was closed on recovery after a crash; what happened right before is not known."
    SubmissionRepeat "submission.repeat" Invalid "A submission's id is used twice."
    SubmissionUndecided "submission.undecided" Incomplete "A command has no `decided` entry. It did not run."
    DecidedOf "decided.of" Invalid
        "`decided` names an entry that is not the `command_submitted` of the same login and id, or repeats a decision."
    DecisionCutCommand "decision.cut_command" NotDecided
        "A command was let run of which only a part is recorded."
    DecisionMissing "decision.missing" NotDecided
        "A command was let run without a signed statement of the service."
    DecisionSignature "decision.signature" NotDecided
        "The statement that let a command run is malformed or its signature is not valid."
    DecisionKey "decision.key_unknown" NotDecided
        "The statement that let a command run is signed by a key that is not the trusted service key."
    DecisionHost "decision.host" NotDecided "The statement that let a command run was made for another host."
    DecisionEntry "decision.entry" NotDecided
        "The statement that let a command run was made for another entry: a decision was reused, or the command changed after it."
    DecisionNonce "decision.nonce" NotDecided
        "The statement that let a command run does not have the submission's nonce."
    DecisionOutcome "decision.outcome" NotDecided
        "The statement does not say what `decided` claims: a refusal recorded as an approval, another decider, or a decider who cannot approve."
    DecisionNeedsPerson "decision.needs_person" NotDecided
        "A rule or grant let a command run that only a person may let run: the host had marked it (`flags`, also with a mark that this version does not know), or it reads a program from standard input."
    DecisionWords "decision.words" NotDecided
        "A rule let a command run that starts a program which the host did not know as a builtin or as root's."
    DecisionRule "decision.rule" NotDecided
        "A rule, grant or threshold is said to have let a command run, and the policy that the statement names, evaluated again on what is recorded, does not let it."
    DecisionNotShown "decision.not_shown" UnderWitnessed
        "A command was let run by a rule of the administrators' document, and whether that rule lets it cannot be told from what is here: a part of the record is missing or was hidden, another version of the analyzer applied it, this verifier knows no rules, or the trust file names no administrators."
    DecisionExpiry "decision.expiry" NotDecided
        "The statement allows more time than the submission waited for."
    DecisionLate "decision.late" NotDecided
        "A command was decided or started after the statement had expired, or in another boot, and `exec_finished` does not say `not_released`."
    AuthorityMissing "authority.missing" NotDecided
        "The trust file names administrators, and a command was let run before any `policy_changed` of theirs: nobody's signature but the service's let it run."
    AuthorityNotInForce "authority.not_in_force" NotDecided
        "A command was let run whose submission does not name the administrators' document in force then, with as many people as it demands, or that document cannot be read."
    ReviewRule "review.rule" NotDecided
        "A command was let run by a grant or threshold, or by a rule, although the administrators' document has none."
    ReviewMissing "review.missing" NotDecided
        "An approval does not hold valid reviews of as many distinct people as the administrators' document demands, or none of the person it says has decided."
    ReviewInvalid "review.invalid" NotDecided
        "A review is malformed, not validly signed, by a key that is not in the document in force, in another's name, or made under another document."
    ReviewEntry "review.entry" NotDecided
        "A review is about another entry, host or nonce, says no, or allows more time than the submission waited for."
    ReviewRevoked "review.revoked" NotDecided
        "A review is signed with a key that the trust file lists as revoked at that time."
    RefusalStatement "refusal.statement" Invalid
        "The statement beside a refusal is malformed, not validly signed, or made for something else, or there is none although somebody is said to have refused. (An approval beside a timeout is in order: it came too late.)"
    RefusalRule "refusal.rule" Invalid
        "A deny rule is said to have refused a command, and the policy that the statement names, evaluated again on what is recorded, does not."
    RunWithoutDecision "run.without_decision" NotDecided
        "`exec_started` names no `decided` entry of the same login and id that lets it run."
    RunTwice "run.twice" NotDecided "A command was started twice on one decision."
    RunUnfinished "run.unfinished" Incomplete "A command that was started has no `exec_finished`."
    FinishOf "finish.of" Invalid
        "`exec_finished` names an entry that is not the `exec_started` of the same login and id, or repeats an end."
    RecordingMissing "recording.missing" Recording "The recording of a login is not there."
    RecordingDigest "recording.digest" Recording
        "Bytes of a recording are not those whose digest is in the ledger."
    RecordingChunks "recording.chunks" Recording
        "The chunks of a recording do not follow each other from 0, or do not add up to `session_closed.recording_bytes`."
    RecordingLength "recording.length" Recording
        "A recording file is shorter or longer than the ledger says."
    RecordingExtra "recording.extra" Recording "A recording belongs to no login of the ledger."
    RecordingBad "recording.bad" Incomplete
        "The front of a login wrote what no front writes; its recording ends before that."
    RecordingNotGiven "recording.not_given" Incomplete
        "Only a journal was given, so its recordings could not be checked. Verify the directory or a bundle."
    GapDeclared "gap.declared" Incomplete
        "The host lost its identity key and was enrolled anew: another history, of the id in `former`, went before, and between the two entries may be missing. Verify that one too, with the trust entry it had."
    GapPlace "gap.place" Invalid "A `gap` stands after a login or a second time, or names another host than `host_enrolled`: it can only begin the history of a host that was enrolled anew, and excuses nothing."
    RemovalEntry "removal.entry" Invalid
        "An `erasure` or `redaction` names an entry that has another hash, comes later, or has no such private value, or the recording of a login that had not begun or not ended; or a `pruned` states another tree than the one that is left."
    RemovalEarly "removal.early" Missing
        "Something was erased or pruned that no cosigned checkpoint covered before (of a recording: the end of its login): the service may never have held it."
    RemovalSignature "removal.signature" Missing
        "An `erasure`, `redaction` or `pruned` is not signed by enough of the administrators that the trust file names, so it excuses nothing."
    PrunedDeclared "pruned.declared" Incomplete
        "Old entries were removed by the word of the host alone: what ran there cannot be judged. With `admins` in the trust file the administrators must have signed it."
    PartLogin "part.login" Missing "The bundle says that it holds a login and does not hold its beginning, no login at all, or every entry since one that it does not reach."
    PartNotWhole "part.not_whole" Missing "The whole history was asked for, and this is a part of one."
    HeadNotCovered "head.not_covered" Incomplete
        "The head that you know speaks of an entry that this part of a history does not hold, so the two could not be compared."
    CheckpointSize "checkpoint.size" Invalid
        "A `checkpoint` entry speaks of entries after itself, of fewer than the one before it, or of a tree too long ago."
    CheckpointSignature "checkpoint.signature" Invalid
        "A signature in a `checkpoint` entry does not verify, or the proof that it stands in the service's log does not hold: it was changed or made up."
    CheckpointRoot "checkpoint.root" Fork
        "The root that the service cosigned is not that of these entries: the service was shown another history than this one."
    ForkService "fork.service" Fork
        "Two checkpoints of the service's log do not continue each other: the service keeps two logs, or this history was put together from two."
    HeadFork "head.fork" Fork
        "The head that you know is another one here: this is not the history you have seen before."
    HeadMissing "head.missing" Missing
        "You know of entries that are not here: the end was cut off."
    HeadOther "head.other_host" NoTrust "The known head is of another host than what is verified."
    AssuranceBelow "assurance.required" UnderWitnessed
        "The history is vouched for, but not by as many as `--require` asks for."
    AssuranceSelf "assurance.self_attested" UnderWitnessed
        "Nobody besides the host vouches for the order and completeness of all entries: no checkpoint cosigned by the service, or entries that tell something after the last one, or a signer that shares the uid of the daemon."
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
    fn severity_follows_the_design() {
        let order: Vec<_> = Code::BY_SEVERITY.iter().map(|c| c.exit()).collect();
        assert_eq!(order, [40, 41, 42, 50, 30, 51, 20, 11, 10]);
        assert!(Code::Invalid.severity() > Code::Missing.severity());
        assert_eq!(Code::UnderWitnessed.severity(), 0);
    }
}
