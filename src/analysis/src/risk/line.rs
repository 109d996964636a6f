//! The commands of a line as the rules see them, with what they are to each
//! other: who writes into whose pipe, whose output is whose words, what is
//! fetched and run later. Gathered once: a line has hundreds of commands, and
//! each may stand in dozens of pipelines.

use super::view::View;
use crate::facts::{CommandLine, Context, Place, Span};
use crate::words::base_name;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;

/// Programs that bring something from another host.
pub(super) const DOWNLOADERS: [&str; 13] = [
    "curl",
    "wget",
    "fetch",
    "aria2c",
    "lwp-download",
    "lwp-request",
    "GET",
    "axel",
    "http",
    "https",
    "nc",
    "ncat",
    "ftp",
];
/// Programs that make readable what was not.
pub(super) const DECODERS: [&str; 14] = [
    "base64",
    "base32",
    "basenc",
    "xxd",
    "openssl",
    "uudecode",
    "gunzip",
    "zcat",
    "rev",
    "tr",
    "gpg",
    "ascii85",
    "base58",
    "b64decode",
];

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piped {
    /// Into the command, from earlier stages of its pipelines.
    From,
    /// Out of it, to later ones.
    To,
}

/// All commands of a line.
#[derive(Debug)]
pub(crate) struct Views<'l> {
    all: Vec<View<'l>>,
    /// A number for each name of a program.
    names: HashMap<&'l str, usize>,
    /// The programs before and behind each command in its pipelines.
    piped: Vec<(Names, Names)>,
    /// Where downloaders and decoders stand whose output becomes words.
    downloads: Vec<Span>,
    decodes: Vec<Span>,
    /// What is run or made ready to run, by file name: its command and its place in the line.
    run: HashMap<&'l str, Vec<(usize, Span)>>,
    /// Whether a loop's condition always holds.
    endless: bool,
}

impl<'l> Deref for Views<'l> {
    type Target = [View<'l>];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<'l> Views<'l> {
    /// The views of all commands of a line.
    pub(crate) fn of(line: &'l CommandLine, place: &Place<'_>) -> Self {
        let all = View::all(line, place);
        let mut names = HashMap::new();
        for view in &all {
            let next = names.len();
            names.entry(view.name).or_insert(next);
        }
        let substituted = |programs: &[&str]| {
            let made = |view: &&View<'l>| {
                programs.contains(&view.name)
                    && view
                        .command
                        .context
                        .iter()
                        .any(|c| matches!(c, Context::Substitution | Context::ProcessSubstitution))
            };
            all.iter().filter(made).map(|view| view.command.span).collect()
        };
        let always = |view: &View<'_>| {
            matches!(view.name, "true" | ":") && view.command.context.iter().any(|c| matches!(c, Context::Condition))
        };
        Self {
            piped: piped(&all, &names),
            downloads: substituted(&DOWNLOADERS),
            decodes: substituted(&DECODERS),
            run: run(&all),
            endless: all.iter().any(always),
            names,
            all,
        }
    }

    /// The commands alone.
    pub(super) fn into_all(self) -> Vec<View<'l>> {
        self.all
    }

    /// Whether one of `programs` stands before or behind `view` in its pipelines.
    pub(crate) fn is_piped<S: AsRef<str>>(&self, view: &View<'_>, way: Piped, programs: &[S]) -> bool {
        let names = self.piped(view, way);
        !names.is_empty()
            && programs.iter().any(|name| self.names.get(name.as_ref()).is_some_and(|number| names.has(*number)))
    }

    /// Whether anything does.
    pub(crate) fn is_piped_at_all(&self, view: &View<'_>, way: Piped) -> bool {
        !self.piped(view, way).is_empty()
    }

    /// Whether all that do are among `programs`.
    pub(crate) fn is_piped_only(&self, view: &View<'_>, way: Piped, programs: &[&str]) -> bool {
        let known = programs.iter().filter_map(|name| self.names.get(name)).copied();
        self.piped(view, way).without(known).is_empty()
    }

    /// Whether what one of `programs` writes becomes a part of the words of `view`.
    pub(super) fn is_made_by(&self, view: &View<'_>, programs: Makers) -> bool {
        let (made, own) = match programs {
            Makers::Downloaders => (&self.downloads, DOWNLOADERS.contains(&view.name)),
            Makers::Decoders => (&self.decodes, DECODERS.contains(&view.name)),
        };
        let span = view.command.span;
        // No command makes its own words.
        let inside = |made: &&Span| made.start >= span.start && made.end <= span.end && !(own && **made == span);
        made.iter().any(|made| inside(&made))
    }

    /// Where the first of `files` is run, or made ready to run, after `view`.
    pub(super) fn runs_later(&self, view: &View<'_>, files: &[&str]) -> Option<Span> {
        let later = |file: &&str| {
            let places = self.run.get(file)?;
            places.get(places.partition_point(|(index, _)| *index <= view.index)).copied()
        };
        files.iter().filter_map(later).min_by_key(|(index, span)| (*index, span.start)).map(|(_, span)| span)
    }

    /// Whether a loop of the line has a condition that always holds.
    pub(super) fn is_endless(&self) -> bool {
        self.endless
    }

    fn piped(&self, view: &View<'_>, way: Piped) -> &Names {
        static NONE: Names = Names(Vec::new());
        match (self.piped.get(view.index), way) {
            (Some((before, _)), Piped::From) => before,
            (Some((_, behind)), Piped::To) => behind,
            (None, _) => &NONE,
        }
    }
}

/// Programs whose output may become words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makers {
    Downloaders,
    Decoders,
}

/// A set of names by their numbers.
#[derive(Debug, Clone, Default)]
struct Names(Vec<u64>);

impl Names {
    fn add(&mut self, number: usize) {
        if self.0.len() <= number / 64 {
            self.0.resize(number / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(word, more)| *word |= more);
    }

    fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    fn without(&self, numbers: impl Iterator<Item = usize>) -> Self {
        let mut rest = self.clone();
        for number in numbers {
            if let Some(word) = rest.0.get_mut(number / 64) {
                *word &= !(1 << (number % 64));
            }
        }
        rest
    }
}

/// The names before and behind each command: all of an earlier or later stage of any pipeline that it is in.
fn piped(all: &[View<'_>], names: &HashMap<&str, usize>) -> Vec<(Names, Names)> {
    if all.iter().all(|view| view.pipes.is_empty()) {
        return Vec::new();
    }
    // By pipeline and stage: the names there, then those before it and behind it.
    let mut stages: BTreeMap<usize, BTreeMap<usize, (Names, Names, Names)>> = BTreeMap::new();
    for view in all {
        let Some(number) = names.get(view.name) else { continue };
        for (id, stage) in &view.pipes {
            stages.entry(*id).or_default().entry(*stage).or_default().0.add(*number);
        }
    }
    for pipeline in stages.values_mut() {
        let mut so_far = Names::default();
        for (here, before, _) in pipeline.values_mut() {
            before.clone_from(&so_far);
            so_far.add_all(here);
        }
        let mut so_far = Names::default();
        for (here, _, behind) in pipeline.values_mut().rev() {
            behind.clone_from(&so_far);
            so_far.add_all(here);
        }
    }
    let of = |view: &View<'_>| {
        let (mut all_before, mut all_behind) = (Names::default(), Names::default());
        for (id, stage) in &view.pipes {
            if let Some((_, before, behind)) = stages.get(id).and_then(|pipeline| pipeline.get(stage)) {
                all_before.add_all(before);
                all_behind.add_all(behind);
            }
        }
        (all_before, all_behind)
    };
    all.iter().map(of).collect()
}

/// The words that name what is run: a program, or a file for one that runs or readies files.
fn run<'l>(all: &[View<'l>]) -> HashMap<&'l str, Vec<(usize, Span)>> {
    let mut run: HashMap<&'l str, Vec<(usize, Span)>> = HashMap::new();
    if !all.iter().any(|view| DOWNLOADERS.contains(&view.name)) {
        return run;
    }
    for view in all {
        let most = if super::detect::runs_text(view) || view.name == "chmod" { 4 } else { 1 };
        for word in view.command.words.iter().take(most).filter(|word| word.text.len() > 2) {
            run.entry(base_name(&word.text)).or_default().push((view.index, word.span));
        }
    }
    run
}
