//! What `countersign verify` knows of rules: `src/ledger` knows none.

use countersign_core::Digest;
use countersign_ledger::sha256;
use countersign_ledger::verify::{CommandPiece, Evaluated, Evaluation, Evaluator, Recorded};
use countersign_policy as policy;
use countersign_policy::{Again, BadPolicy, Policy, Whose};

/// Decides again with the rules of this program.
pub struct Rules;

/// A policy.
struct Read(Policy);

impl Evaluator for Rules {
    fn policy(&self, text: &str) -> Result<Box<dyn Evaluation>, String> {
        let policy = Policy::from_canonical(text).map_err(|why| match why {
            BadPolicy::Analyzer(_) => why.to_string(),
            BadPolicy::Rule { .. } | BadPolicy::Settings(_) | BadPolicy::Twice { .. } | BadPolicy::Text { .. } => {
                "the text of the policy is none that this version reads".to_owned()
            }
        })?;
        Ok(Box::new(Read(policy)))
    }

    fn administrators(&self, rules: &str) -> Result<Option<Digest>, String> {
        match Policy::of_administrators(rules) {
            Ok(policy) => Ok(policy.map(|policy| sha256(policy.canonical_text().as_bytes()))),
            Err(_) => Err("the rules of the administrators' document are none that this version reads".to_owned()),
        }
    }
}

impl Evaluation for Read {
    fn decide(&mut self, said: &Recorded<'_>) -> Evaluated {
        let pieces: Vec<policy::Piece<'_>> = said.pieces.iter().map(piece).collect();
        let whose = if said.by_host { Whose::Host } else { Whose::Service };
        match self.0.again(&recorded(said, &pieces), whose) {
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
