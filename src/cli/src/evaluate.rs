//! What `countersign verify` knows of rules: `src/ledger` knows none.

use countersign_ledger::verify::{CommandPiece, Evaluated, Evaluation, Evaluator, Recorded};
use countersign_policy as policy;
use countersign_policy::{Again, BadPolicy, Policy, Uses, Whose};

/// Decides again with the rules of this program.
pub struct Rules;

/// A policy, and how often the record has used its rules so far.
struct Read {
    policy: Policy,
    uses: Uses,
    whose: Whose,
}

impl Evaluator for Rules {
    fn policy(&self, text: &str) -> Result<Box<dyn Evaluation>, String> {
        let policy = Policy::from_canonical(text).map_err(|why| match why {
            BadPolicy::Analyzer(_) => why.to_string(),
            BadPolicy::Rule { .. } | BadPolicy::Settings(_) | BadPolicy::Twice { .. } | BadPolicy::Text { .. } => {
                "the text of the policy is none that this version reads".to_owned()
            }
        })?;
        Ok(Box::new(Read { policy, uses: Uses::default(), whose: Whose::Service }))
    }
}

impl Evaluation for Read {
    fn decide(&mut self, said: &Recorded<'_>) -> Evaluated {
        let pieces: Vec<policy::Piece<'_>> = said.pieces.iter().map(piece).collect();
        match self.policy.again(&recorded(said, &pieces), self.whose, &mut self.uses) {
            Again::Holds => Evaluated::Holds,
            Again::Fails(why) => Evaluated::Fails(why),
            Again::Open(why) => Evaluated::Open(why.to_owned()),
        }
    }
}

fn piece<'a>(piece: &CommandPiece<'a>) -> policy::Piece<'a> {
    match *piece {
        CommandPiece::Shown(bytes) => policy::Piece::Shown(bytes),
        CommandPiece::Hidden(kind) => policy::Piece::Hidden(kind),
        CommandPiece::Cut => policy::Piece::Cut,
    }
}

fn recorded<'a>(said: &Recorded<'a>, pieces: &'a [policy::Piece<'a>]) -> policy::Recorded<'a> {
    policy::Recorded {
        host: said.host,
        pieces,
        shell: said.shell,
        terminal: said.terminal,
        agent: said.agent,
        cwd: said.cwd,
        words_known: said.words_known,
        needs_person: said.needs_person,
        submitted_ms: said.submitted_us.div_euclid(1000),
        decided_ms: said.decided_us.div_euclid(1000),
        outcome: said.outcome,
        by: said.by,
    }
}
