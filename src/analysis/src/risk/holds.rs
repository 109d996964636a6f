//! Whether a condition holds of a command.

use super::detect;
use super::rules::Condition;
use super::view::{Touch, View};
use crate::facts::Span;
use crate::hosts::Reach;
use crate::paths::Class;

/// Where in the line `condition` holds of `view`.
pub fn holds(condition: &Condition, view: &View<'_>, all: &[View<'_>]) -> Option<Span> {
    let mut at = view.command.span;
    let named = |list: &[String], name: &str| list.iter().any(|known| known == name);
    if !condition.program.is_empty() && !named(&condition.program, view.name)
        || named(&condition.not_program, view.name)
    {
        return None;
    }
    if condition.root.is_some_and(|root| root != view.root)
        || condition.bare.is_some_and(|bare| bare != view.operands.is_empty())
    {
        return None;
    }
    if !condition.sub.is_empty() && !condition.sub.iter().any(|sub| begins(&view.operands, sub)) {
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
    if !texts(condition, view) {
        return None;
    }
    if !condition.word.is_empty() {
        at = view
            .arguments
            .iter()
            .find(|word| condition.word.iter().any(|glob| matches(glob, &word.text)))
            .map(|word| word.span)?;
    }
    at = touches(condition, view, at)?;
    if !condition.host.is_empty() {
        at = view
            .reached
            .iter()
            .find(|reached| condition.host.iter().any(|name| name == reach_name(reached.reach)))?
            .span;
    }
    if !condition.piped_to.is_empty() && !view.neighbours(all, true).any(|other| named(&condition.piped_to, other.name))
    {
        return None;
    }
    if !condition.piped_from.is_empty()
        && !view.neighbours(all, false).any(|other| named(&condition.piped_from, other.name))
    {
        return None;
    }
    if !condition.assigns.is_empty() {
        at = view.command.assignments.iter().find(|a| named(&condition.assigns, &a.name))?.span;
    }
    for name in &condition.detect {
        at = detect::detect(name, view, all)?;
    }
    Some(at)
}

fn texts(condition: &Condition, view: &View<'_>) -> bool {
    let contains = |list: &[String]| list.iter().any(|part| view.text.contains(part.as_str()));
    (condition.text.is_empty() || contains(&condition.text))
        && (condition.text_too.is_empty() || contains(&condition.text_too))
        && !contains(&condition.not_text)
}

fn touches(condition: &Condition, view: &View<'_>, at: Span) -> Option<Span> {
    let class = |names: &[String]| names.iter().filter_map(|name| Class::named(name)).fold(Class::default(), Class::or);
    let any = |names: &[String]| names.iter().any(|name| name == "any");
    let mut at = at;
    let mut find = |names: &[String], how: &dyn Fn(Touch) -> bool| -> Option<()> {
        if names.is_empty() {
            return Some(());
        }
        let (class, any) = (class(names), any(names));
        let found = view.touched.iter().find(|touched| how(touched.touch) && (any || touched.class.meets(class)))?;
        at = found.span;
        Some(())
    };
    find(&condition.path, &|touch| touch != Touch::Look)?;
    find(&condition.mention, &|_| true)?;
    find(&condition.reads, &|touch| touch == Touch::Read)?;
    find(&condition.writes, &|touch| touch == Touch::Write)?;
    find(&condition.deletes, &|touch| touch == Touch::Delete)?;
    if !condition.deletes_outside.is_empty() {
        let inside = class(&condition.deletes_outside);
        at = view.touched.iter().find(|touched| touched.touch == Touch::Delete && !touched.class.meets(inside))?.span;
    }
    Some(at)
}

fn begins(operands: &[&str], sub: &str) -> bool {
    let mut operands = operands.iter();
    sub.split(' ').all(|glob| operands.next().is_some_and(|word| matches(glob, word)))
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

/// `*` stands for any text.
fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            match rest.find(part) {
                Some(at) => rest = rest.get(at + str::len(part)..).unwrap_or_default(),
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

fn reach_name(reach: Reach) -> &'static str {
    match reach {
        Reach::Loopback => "loopback",
        Reach::Private => "private",
        Reach::Metadata => "metadata",
        Reach::External => "external",
    }
}
