//! What a condition cannot hold without, as a few bits: of some hundred
//! conditions that could hold for a program nearly all are passed over by one
//! look at a list that lies together in memory.

use super::rules::Condition;
use super::view::{Touch, View};
use crate::facts::Context;

/// One condition: where it stands, and what there must be for it to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    /// The index of its rule.
    pub(super) rule: usize,
    /// Its index among the conditions of the rule.
    pub(super) condition: usize,
    pub(super) asks: Has,
}

/// What there is of a command, or what a condition asks for: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Has(u32);

impl Has {
    /// A text that some rule looks for.
    pub(super) const TEXT: Self = Self(1);
    const ARGUMENT: Self = Self(1 << 1);
    /// An argument that begins with a dash.
    const OPTION: Self = Self(1 << 2);
    const OPERAND: Self = Self(1 << 3);
    const NO_OPERAND: Self = Self(1 << 4);
    const HOST: Self = Self(1 << 5);
    const PIPE: Self = Self(1 << 6);
    const ASSIGNMENT: Self = Self(1 << 7);
    const ROOT: Self = Self(1 << 8);
    const NO_ROOT: Self = Self(1 << 9);
    const READ: Self = Self(1 << 10);
    const WRITE: Self = Self(1 << 11);
    const DELETE: Self = Self(1 << 12);
    /// Touched in any way but from outside.
    const OPENED: Self = Self(1 << 13);
    const TOUCHED: Self = Self(1 << 14);

    /// Adds what is in `other`.
    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all of `other` is there.
    pub(super) fn all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What there is of `view`, but for texts.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut has = Self::default();
        let mut when = |there: bool, what: Self| has.0 |= if there { what.0 } else { 0 };
        when(!view.arguments.is_empty(), Self::ARGUMENT);
        when(view.arguments.iter().any(|word| word.text.starts_with('-')), Self::OPTION);
        when(!view.operands.is_empty(), Self::OPERAND);
        when(view.operands.is_empty(), Self::NO_OPERAND);
        when(!view.reached.is_empty(), Self::HOST);
        when(view.command.context.iter().any(|context| matches!(context, Context::Pipe { .. })), Self::PIPE);
        when(!view.command.assignments.is_empty(), Self::ASSIGNMENT);
        when(view.root, Self::ROOT);
        when(!view.root, Self::NO_ROOT);
        for touched in &view.touched {
            when(true, Self::TOUCHED);
            match touched.touch {
                Touch::Read => when(true, Self(Self::READ.0 | Self::OPENED.0)),
                Touch::Write => when(true, Self(Self::WRITE.0 | Self::OPENED.0)),
                Touch::Delete => when(true, Self(Self::DELETE.0 | Self::OPENED.0)),
                Touch::Look => {}
            }
        }
        has
    }

    /// What `condition` asks for.
    pub(super) fn asked(condition: &Condition) -> Self {
        let mut asked = Self::default();
        let mut when = |there: bool, what: Self| asked.0 |= if there { what.0 } else { 0 };
        let dashes = |options: &[String]| options.iter().all(|option| option.starts_with('-'));
        when(!condition.text.is_empty() || !condition.text_too.is_empty(), Self::TEXT);
        for options in [&condition.option, &condition.option_too] {
            when(!options.is_empty(), if dashes(options) { Self::OPTION } else { Self::ARGUMENT });
        }
        when(!condition.word.is_empty(), Self::ARGUMENT);
        when(!condition.sub.is_empty() || !condition.verb.is_empty(), Self::OPERAND);
        when(condition.bare == Some(false), Self::OPERAND);
        when(condition.bare == Some(true), Self::NO_OPERAND);
        when(!condition.host.is_empty(), Self::HOST);
        when(!condition.piped_to.is_empty() || !condition.piped_from.is_empty(), Self::PIPE);
        when(!condition.assigns.is_empty(), Self::ASSIGNMENT);
        when(condition.root == Some(true), Self::ROOT);
        when(condition.root == Some(false), Self::NO_ROOT);
        when(!condition.path.is_empty(), Self::OPENED);
        when(!condition.mention.is_empty(), Self::TOUCHED);
        when(!condition.reads.is_empty(), Self::READ);
        when(!condition.writes.is_empty(), Self::WRITE);
        when(!condition.deletes.is_empty() || !condition.deletes_outside.is_empty(), Self::DELETE);
        asked
    }
}
