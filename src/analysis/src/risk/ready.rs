//! Conditions made ready once, so that looking at a command is cheap: texts as
//! patterns of one automaton, classes of paths as sets, `*` cut out of words,
//! and for each program the conditions that can hold for it.

use super::gate::{Gate, Has};
use super::glob::{Glob, Shape};
use super::rules::{Condition, Rule};
use super::view::{Touch, View};
use crate::paths::Class;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::HashMap;

/// Which conditions of which rules can hold for what.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// For programs that rules name: in the order of the rules, as in `others`.
    by_program: HashMap<String, Vec<Gate>>,
    /// For programs that no rule names.
    others: Vec<Gate>,
    opaque: Vec<usize>,
    texts: Option<AhoCorasick>,
    /// How many texts the rules look for.
    count: usize,
}

impl Index {
    /// Makes `rules` ready.
    pub(super) fn of(rules: &mut [Rule]) -> Result<Self, String> {
        let mut numbers = Numbers::default();
        rules.iter_mut().flat_map(|rule| &mut rule.when).for_each(|condition| {
            condition.ready = Ready::of(condition, &mut numbers);
        });
        let mut index = Self { count: numbers.texts.len(), ..Self::default() };
        // Built in a millisecond; a table of all states would take twenty.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&numbers.texts)
            .map_err(|e| format!("risk rules: texts: {e}"))?;
        index.texts = Some(automaton);
        index.others = gates(rules, |condition| condition.program.is_empty());
        let mut named: HashMap<&str, Vec<Gate>> = HashMap::new();
        for (gate, condition) in all_gates(rules) {
            for program in &condition.program {
                let list = named.entry(program).or_default();
                if list.last() != Some(&gate) {
                    list.push(gate);
                }
            }
        }
        for (program, mut list) in named {
            list.extend_from_slice(&index.others);
            list.sort_unstable_by_key(|gate| (gate.rule, gate.condition));
            index.by_program.insert(program.to_owned(), list);
        }
        let opaque = rules.iter().enumerate().filter(|(_, rule)| rule.when.iter().any(|when| !when.opaque.is_empty()));
        index.opaque = opaque.map(|(at, _)| at).collect();
        Ok(index)
    }

    /// The conditions that could hold for a program, in the order of the rules.
    pub(super) fn about(&self, program: &str) -> &[Gate] {
        self.by_program.get(program).unwrap_or(&self.others)
    }

    /// The rules about what cannot be read.
    pub(super) fn about_opaque(&self) -> &[usize] {
        &self.opaque
    }

    /// What conditions ask for, as far as it is in `view`.
    pub(super) fn seen(&self, view: &View<'_>) -> Seen {
        let mut seen = Seen {
            has: Has::of(view),
            arguments: view.arguments.iter().map(|word| Shape::of(&word.text)).collect(),
            operands: view.operands.iter().map(|operand| Shape::of(operand)).collect(),
            texts: vec![0; self.count.div_ceil(64)],
            touched: [None; 4],
        };
        if let Some(texts) = &self.texts {
            for hit in texts.find_overlapping_iter(&view.text) {
                let number = hit.pattern().as_usize();
                if let Some(word) = seen.texts.get_mut(number / 64) {
                    *word |= 1 << (number % 64);
                    seen.has.add(Has::TEXT);
                }
            }
        }
        for touched in &view.touched {
            if let Some(class) = seen.touched.get_mut(place(touched.touch)) {
                *class = Some(class.unwrap_or_default().or(touched.class));
            }
        }
        seen
    }
}

fn gates(rules: &[Rule], fits: impl Fn(&Condition) -> bool) -> Vec<Gate> {
    all_gates(rules).filter(|(_, condition)| fits(condition)).map(|(gate, _)| gate).collect()
}

/// The gates of all conditions about commands, in the order of the rules.
fn all_gates(rules: &[Rule]) -> impl Iterator<Item = (Gate, &Condition)> {
    rules.iter().enumerate().flat_map(|(rule, all)| {
        let about = all.when.iter().enumerate().filter(|(_, condition)| condition.opaque.is_empty());
        about.map(move |(at, condition)| (Gate { rule, condition: at, asks: Has::asked(condition) }, condition))
    })
}

/// Texts, each numbered once.
#[derive(Default)]
struct Numbers {
    texts: Vec<String>,
    known: HashMap<String, usize>,
}

impl Numbers {
    fn of(&mut self, list: &[String]) -> Vec<usize> {
        let number = |text: &String| {
            *self.known.entry(text.clone()).or_insert_with(|| {
                self.texts.push(text.clone());
                self.texts.len() - 1
            })
        };
        list.iter().map(number).collect()
    }
}

/// What of a command the rules ask for.
pub(super) struct Seen {
    /// What there is of it at all.
    pub(super) has: Has,
    /// The shapes of its arguments, and of those that are operands.
    pub(super) arguments: Vec<Shape>,
    pub(super) operands: Vec<Shape>,
    /// A bit for each text that is in its arguments.
    texts: Vec<u64>,
    /// The classes of all paths that are touched, by how.
    touched: [Option<Class>; 4],
}

fn place(touch: Touch) -> usize {
    match touch {
        Touch::Read => 0,
        Touch::Write => 1,
        Touch::Delete => 2,
        Touch::Look => 3,
    }
}

/// A path that a condition asks for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    touches: &'static [Touch],
    /// `None`: of any class.
    class: Option<Class>,
}

impl Asked {
    pub(super) fn meets(&self, touch: Touch, class: Class) -> bool {
        self.touches.contains(&touch) && self.class.is_none_or(|asked| class.meets(asked))
    }

    fn of(names: &[String], touches: &'static [Touch]) -> Option<Self> {
        let any = names.iter().any(|name| name == "any");
        (!names.is_empty()).then(|| Self { touches, class: (!any).then(|| union(names)) })
    }
}

fn union(names: &[String]) -> Class {
    names.iter().filter_map(|name| Class::named(name)).fold(Class::default(), Class::or)
}

fn subs(list: &[String]) -> Vec<Vec<Glob>> {
    list.iter().map(|sub| sub.split(' ').map(Glob::of).collect()).collect()
}

/// A condition made ready.
#[derive(Debug, Clone, Default)]
pub(super) struct Ready {
    /// One of each of these lists of texts is there …
    texts: Vec<Vec<usize>>,
    /// … and none of these.
    not_text: Vec<usize>,
    /// Paths, in the order of the condition's fields.
    pub(super) touched: Vec<Asked>,
    /// Of which class a removed path must not be.
    pub(super) outside: Class,
    /// `Condition::sub`, word by word.
    pub(super) sub: Vec<Vec<Glob>>,
    /// `Condition::not_sub`, in the same way.
    pub(super) not_sub: Vec<Vec<Glob>>,
    /// `Condition::word`.
    pub(super) word: Vec<Glob>,
}

impl Ready {
    fn of(condition: &Condition, numbers: &mut Numbers) -> Self {
        let texts = [&condition.text, &condition.text_too].into_iter().filter(|list| !list.is_empty());
        let touched = [
            (&condition.path, [Touch::Read, Touch::Write, Touch::Delete].as_slice()),
            (&condition.mention, &[Touch::Read, Touch::Write, Touch::Delete, Touch::Look]),
            (&condition.reads, &[Touch::Read]),
            (&condition.writes, &[Touch::Write]),
            (&condition.deletes, &[Touch::Delete]),
        ];
        Self {
            texts: texts.map(|list| numbers.of(list)).collect(),
            not_text: numbers.of(&condition.not_text),
            touched: touched.into_iter().filter_map(|(names, touches)| Asked::of(names, touches)).collect(),
            outside: union(&condition.deletes_outside),
            sub: subs(&condition.sub),
            not_sub: subs(&condition.not_sub),
            word: condition.word.iter().map(|glob| Glob::of(glob)).collect(),
        }
    }

    /// Whether the texts are there, and paths of such classes at all.
    pub(super) fn fit(&self, seen: &Seen) -> bool {
        let has = |number: &usize| seen.texts.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1);
        let paths = |asked: &Asked| {
            let classes = asked.touches.iter().filter_map(|touch| seen.touched.get(place(*touch)).copied().flatten());
            let mut classes = classes;
            match asked.class {
                None => classes.next().is_some(),
                Some(class) => classes.any(|seen| seen.meets(class)),
            }
        };
        self.texts.iter().all(|list| list.iter().any(has))
            && !self.not_text.iter().any(has)
            && self.touched.iter().all(paths)
    }
}
