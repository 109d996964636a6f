//! Whether a condition holds of a command.

use super::detect;
use super::glob::{Glob, Shape};
use super::line::{Piped, Views};
use super::ready::Seen;
use super::rules::Condition;
use super::view::{Touch, View};
use crate::facts::Span;
use crate::hosts::Reach;

/// Where in the line `condition`, which the index says is about this program, holds of `view`.
pub(super) fn holds(condition: &Condition, seen: &Seen, view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    let ready = &condition.ready;
    // What costs least and fails most often comes first; none of it depends on another.
    if !ready.fit(seen)
        || condition.root.is_some_and(|root| root != view.root)
        || condition.bare.is_some_and(|bare| bare != view.operands.is_empty())
    {
        return None;
    }
    let mut at = view.command.span;
    let named = |list: &[String], name: &str| list.iter().any(|known| known == name);
    if named(&condition.not_program, view.name) {
        return None;
    }
    if !ready.sub.is_empty() && !ready.sub.iter().any(|sub| begins(&view.operands, &seen.operands, sub)) {
        return None;
    }
    if ready.not_sub.iter().any(|sub| begins(&view.operands, &seen.operands, sub)) {
        return None;
    }
    if !condition.verb.is_empty() && !has_verb(view, &condition.verb) {
        return None;
    }
    for options in [&condition.option, &condition.option_too] {
        if !options.is_empty() {
            view.option(options)?;
        }
    }
    if !condition.not_option.is_empty() && view.option(&condition.not_option).is_some() {
        return None;
    }
    if !ready.word.is_empty() {
        at = view
            .arguments
            .iter()
            .zip(&seen.arguments)
            .find(|(word, shape)| ready.word.iter().any(|glob| glob.matches(&word.text, **shape)))
            .map(|(word, _)| word.span)?;
    }
    at = touches(condition, view, at)?;
    if !condition.host.is_empty() {
        at = view
            .reached
            .iter()
            .find(|reached| condition.host.iter().any(|name| name == reach_name(reached.reach)))?
            .span;
    }
    for (programs, way) in [(&condition.piped_to, Piped::To), (&condition.piped_from, Piped::From)] {
        if !programs.is_empty() && !all.is_piped(view, way, programs) {
            return None;
        }
    }
    if !condition.assigns.is_empty() {
        at = view.command.assignments.iter().find(|a| named(&condition.assigns, &a.name))?.span;
    }
    for name in &condition.detect {
        at = detect::detect(name, view, all)?;
    }
    Some(at)
}

/// The last of the paths that the condition asks for.
fn touches(condition: &Condition, view: &View<'_>, at: Span) -> Option<Span> {
    let mut at = at;
    for asked in &condition.ready.touched {
        at = view.touched.iter().find(|touched| asked.meets(touched.touch, touched.class))?.span;
    }
    if !condition.deletes_outside.is_empty() {
        let inside = condition.ready.outside;
        at = view.touched.iter().find(|touched| touched.touch == Touch::Delete && !touched.class.meets(inside))?.span;
    }
    Some(at)
}

fn begins(operands: &[&str], shapes: &[Shape], sub: &[Glob]) -> bool {
    sub.len() <= operands.len()
        && sub.iter().zip(operands.iter().zip(shapes)).all(|(glob, (word, shape))| glob.matches(word, *shape))
}

/// One of the first operands is a verb: alone, before `-` or `_`, or after `:` (`apps:destroy`).
fn has_verb(view: &View<'_>, verbs: &[String]) -> bool {
    let is = |word: &str| {
        verbs.iter().any(|verb| {
            word.strip_prefix(verb.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        })
    };
    view.operands.iter().take(5).any(|word| {
        is(word) || word.rsplit_once(':').is_some_and(|(topic, verb)| !topic.contains(['/', '.', '@', ':']) && is(verb))
    })
}

fn reach_name(reach: Reach) -> &'static str {
    match reach {
        Reach::Loopback => "loopback",
        Reach::Private => "private",
        Reach::Metadata => "metadata",
        Reach::External => "external",
    }
}
