//! The life of rules: written by one person, put in force by another, looked
//! at, ended. Every change is stored, recorded in the service's own ledger and
//! put in force as one, or not at all.
//!
//! Where there is only one reviewer nobody else could approve: then a rule is
//! in force at once, and says that its author approved it. Rules that deny or
//! ask only make things stricter: they are in force at once too, and a second
//! person must agree to end or change one.

use crate::app::{App, now_ms};
use crate::in_force::{InForce, NotInForce, SETTINGS, checked, read};
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{RuleRow, Tx, person_of, rules};
use countersign_analysis::starts;
use countersign_api::rules::{NewGrant, NewRule, Rule, RuleAct, RuleHistory};
use countersign_core::Name;
use countersign_ledger::Kind;
use countersign_policy::{Body, Document, Effect, Imported, Pattern, Settings, advice};
use std::collections::HashMap;

const MINUTE_MS: i64 = 60_000;

/// What is wrong with a rule is the caller's to mend; what is wrong with the store is ours.
impl From<NotInForce> for Refusal {
    fn from(error: NotInForce) -> Self {
        match error {
            NotInForce::Store(error) => error.into(),
            NotInForce::Policy(_) | NotInForce::Body { .. } => Self::BadRequest(error.to_string()),
        }
    }
}

/// Adds a rule.
pub async fn add(app: &App, by: &Name, new: NewRule) -> Result<Rule, Refusal> {
    let body = match (new.line, new.body) {
        (Some(line), None) => {
            Body { exact: Some(line), shell: new.shell, on_terminal: new.on_terminal, ..Body::default() }
        }
        (None, Some(body)) if new.shell.is_none() && !new.on_terminal => serde_json::from_value(body)
            .map_err(|error| Refusal::BadRequest(format!("`body` is not a rule: {error}")))?,
        (None, Some(_)) => {
            return Err(Refusal::BadRequest("`shell` and `on_terminal` belong into `body`".to_owned()));
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refusal::BadRequest("give `line` or `body`".to_owned()));
        }
    };
    let new = Change::Text { id: None, kind: "standing", body: Box::new(body), twin: Twin::Refused };
    let mut added = change(app, by, vec![new]).await?;
    added.pop().ok_or(Refusal::Internal)
}

/// Gives a grant.
pub async fn grant(app: &App, by: &Name, new: NewGrant) -> Result<Rule, Refusal> {
    let mut body: Body = serde_json::from_value(new.body)
        .map_err(|error| Refusal::BadRequest(format!("`body` is not a rule: {error}")))?;
    if body.expires.is_some() || !(1..=24 * 60).contains(&new.minutes) {
        return Err(Refusal::BadRequest(
            "a grant lasts 1 to 1440 `minutes` and has no `expires` of its own".to_owned(),
        ));
    }
    let end_ms = now_ms().saturating_add(i64::from(new.minutes) * MINUTE_MS);
    body.expires = countersign_core::format_utc_micros(end_ms.saturating_mul(1000));
    let new = Change::Text { id: None, kind: "grant", body: Box::new(body), twin: Twin::Taken };
    let mut added = change(app, by, vec![new]).await?;
    added.pop().ok_or(Refusal::Internal)
}

/// Takes a file of rules: all of it or nothing. A rule that is as it was is left alone, and so is one that decides
/// as a new one in the file would.
pub async fn import(app: &App, by: &Name, toml: &str) -> Result<Vec<Rule>, Refusal> {
    let document = Document::parse(toml).map_err(|error| Refusal::BadRequest(error.to_string()))?;
    let mut changes: Vec<Change> = Vec::new();
    if let Some(settings) = document.settings {
        changes.push(Change::Settings(settings));
    }
    changes.extend(document.rules.into_iter().map(|Imported { id, body }| Change::Text {
        id,
        kind: "standing",
        body: Box::new(body),
        twin: Twin::LeftAlone,
    }));
    change(app, by, changes).await
}

/// Rules and settings in force as the file that [`import`] takes.
pub async fn export(app: &App) -> Result<String, Refusal> {
    let in_force = app.policy();
    let rows = app.store.rules().await?;
    let mut rules = Vec::new();
    for row in rows.iter().filter(|row| row.state == "active" && row.kind == "standing") {
        rules.push(Imported { id: Some(row.id), body: read(row.id, &row.body)? });
    }
    let document = Document { settings: Some(in_force.policy.settings().clone()), rules };
    document.to_toml().map_err(|error| Refusal::BadRequest(error.to_string()))
}

/// Something that is written.
enum Change {
    Text { id: Option<u64>, kind: &'static str, body: Box<Body>, twin: Twin },
    Settings(Settings),
}

/// What becomes of a new rule that decides as one does that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Twin {
    Refused,
    LeftAlone,
    Taken,
}

async fn change(app: &App, by: &Name, changes: Vec<Change>) -> Result<Vec<Rule>, Refusal> {
    let now = now_ms();
    let _one_at_a_time = app.rules_change.lock().await;
    let mut tx = app.store.write().await?;
    let alone = rules::people(&mut tx).await? < 2;
    let mut written = Vec::new();
    let mut acts: Vec<(Kind, &'static str, u64, String)> = Vec::new();
    for change in changes {
        let live = rules::live(&mut tx).await?;
        let (id, kind, text, at_once, what) = match change {
            Change::Settings(settings) => {
                settings.check().map_err(|error| Refusal::BadRequest(error.to_string()))?;
                let text = serde_json::to_string(&settings).map_err(|_| Refusal::Internal)?;
                (SETTINGS, "settings", text, alone, "settings".to_owned())
            }
            Change::Text { id, kind, body, twin } => {
                let known = match id {
                    None if twin != Twin::Taken => twin_of(&mut tx, &live, &body, now).await?,
                    Some(_) | None => None,
                };
                match known {
                    Some(row) if twin == Twin::Refused => {
                        return Err(there_already(&mut tx, row, "decides the same", now).await?);
                    }
                    Some(_) => continue,
                    None => {}
                }
                let before = id.map(|id| {
                    let known = live.iter().find(|row| row.id == id && row.kind == "standing");
                    known.map(|row| row.body.clone()).ok_or_else(|| {
                        Refusal::BadRequest(format!("there is no rule {id}; leave `id` out for a new rule"))
                    })
                });
                let before = before.transpose()?;
                let at_once = alone || kind == "grant" || (before.is_none() && body.effect != Effect::Allow);
                let id = match id {
                    Some(id) => id,
                    None => rules::next_id(&mut tx).await?,
                };
                let text = serde_json::to_string(&body).map_err(|_| Refusal::Internal)?;
                (id, kind, text, at_once, body.describe())
            }
        };
        if live.iter().any(|row| row.id == id && row.body == text && row.kind == kind) {
            continue;
        }
        // A newer proposal takes the place of one that nobody approved.
        rules::end(&mut tx, id, "proposed", Some(by), now).await?;
        rules::add(&mut tx, (id, kind, &text), by, now).await?;
        check_new(&mut tx, id, now).await?;
        if at_once {
            rules::activate(&mut tx, id, by, now).await?;
        }
        acts.push((kind_of(kind), if at_once { "added" } else { "proposed" }, id, what));
        written.push(id);
    }
    no_line_twice(&mut tx, now).await?;
    let in_force = InForce::load_and_keep(&mut tx, &app.base_settings, now).await?;
    for (kind, act, id, what) in acts {
        let act = Act::new(kind, act, Some(by)).about(id).detail(what).policy(in_force.digest);
        app.ledger.record(&mut tx, &act).await?;
    }
    let rows = rules::live(&mut tx).await?;
    let uses = rules::uses(&mut tx).await?;
    tx.commit().await?;
    app.set_policy(in_force);
    let newest = |id: &u64| rows.iter().filter(|row| row.id == *id).max_by_key(|row| row.revision);
    written.iter().filter_map(newest).map(|row| shown(row, &uses)).collect()
}

/// What a change of such a rule is recorded as.
pub fn kind_of(rule: &str) -> Kind {
    if rule == "grant" { Kind::Grant } else { Kind::RuleChanged }
}

/// A proposed rule must be one already, not only when it is approved.
async fn check_new(tx: &mut Tx, id: u64, now: i64) -> Result<(), Refusal> {
    let rows = rules::live(tx).await?;
    let row = rows.iter().find(|row| row.id == id && row.state == "proposed").ok_or(Refusal::Internal)?;
    if row.kind == "settings" {
        return Ok(());
    }
    let rule = checked(row, Some(now)).map_err(|error| match error {
        NotInForce::Policy(countersign_policy::BadPolicy::Rule { why, .. }) => Refusal::BadRequest(why.to_string()),
        NotInForce::Store(_) | NotInForce::Policy(_) | NotInForce::Body { .. } => error.into(),
    })?;
    let critical = row.kind == "grant" && {
        let targets = rules::targets(tx).await?;
        let named = |name: &Name| rule.body().targets.iter().any(|target| target == name.as_str());
        targets.iter().any(|(_, name, class)| named(name) && *class == countersign_core::Class::Critical)
    };
    if critical {
        let text = "grants are not given on critical targets, where two people decide; they approve each line";
        return Err(Refusal::BadRequest(text.to_owned()));
    }
    Ok(())
}

/// A standing rule that decides as this one would, and is not over. For a rule that denies or asks only one counts
/// that is in force and that nobody wants to end: no other may keep it out.
async fn twin_of<'a>(tx: &mut Tx, live: &'a [RuleRow], body: &Body, now: i64) -> Result<Option<&'a RuleRow>, Refusal> {
    let counts = |row: &&RuleRow| body.effect == Effect::Allow || row.state == "active" && row.end_asked_by.is_none();
    for row in live.iter().filter(|row| row.kind == "standing").filter(counts) {
        if read::<Body>(row.id, &row.body)?.decides_as(body) && !is_over(tx, row, now).await? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Whether a rule that nobody ended has nothing to say any more.
async fn is_over(tx: &mut Tx, row: &RuleRow, now: i64) -> Result<bool, Refusal> {
    let rule = checked(row, None)?;
    let used = rules::uses(tx).await?.get(&row.id).copied().unwrap_or(0);
    Ok(rule.expires_ms().is_some_and(|end| now >= end) || rule.body().uses.is_some_and(|uses| used >= uses))
}

/// That a rule is there, whose it is, and what can be done about it.
async fn there_already(tx: &mut Tx, row: &RuleRow, what: &str, now: i64) -> Result<Refusal, Refusal> {
    let RuleRow { id, revision, author, .. } = row;
    let state = if is_over(tx, row, now).await? {
        format!("has expired or is used up (countersign rules expire {id}, then add it again)")
    } else if row.state == "proposed" {
        let text = if *revision > 1 { format!("{id}:{revision}") } else { id.to_string() };
        format!("waits for approval (countersign rules approve {text})")
    } else {
        format!("is in force (countersign rules show {id})")
    };
    Ok(Refusal::Conflict(format!("nothing was added: rule {id}, added by {author}, {what} already and {state}")))
}

/// An exact line has one rule, also among those that are only proposed.
async fn no_line_twice(tx: &mut Tx, now: i64) -> Result<(), Refusal> {
    let live = rules::live(tx).await?;
    let mut seen: HashMap<(String, String), &RuleRow> = HashMap::new();
    for row in live.iter().filter(|row| row.kind == "standing") {
        let body: Body = read(row.id, &row.body)?;
        let Some(line) = body.exact.clone() else { continue };
        let place = (body.shell().to_owned(), line);
        if let Some(first) = seen.insert(place, row).filter(|first| first.id != row.id) {
            return Err(there_already(tx, first, "has this line for this shell", now).await?);
        }
    }
    Ok(())
}

/// Approves, reviews or ends a rule. `revision`: the text that was looked at;
/// another one is not approved, since somebody may have put it there meanwhile.
pub async fn act(app: &App, by: &Name, (id, revision): (u64, u64), what: RuleAct) -> Result<Rule, Refusal> {
    let now = now_ms();
    let _one_at_a_time = app.rules_change.lock().await;
    let mut tx = app.store.write().await?;
    let rows = rules::live(&mut tx).await?;
    let in_state = |state: &str| rows.iter().find(|row| row.id == id && row.state == state);
    let done = match what {
        RuleAct::Approve => {
            let row = in_state("proposed").ok_or(Refusal::NotFound("no rule of this number waits for approval"))?;
            if row.revision != revision {
                let now = row.revision;
                return Err(Refusal::Conflict(format!(
                    "the text of rule {id} that waits for approval is revision {now}, not {revision}; look at it with `countersign rules list`, then approve {id}:{now}"
                )));
            }
            if same_person(&mut tx, &row.author, by).await? && rules::people(&mut tx).await? > 1 {
                return Err(Refusal::Conflict(format!("{by} wrote rule {id}; another person must approve it")));
            }
            rules::activate(&mut tx, id, by, now).await?;
            "approved"
        }
        RuleAct::Review => {
            in_state("active").ok_or(Refusal::NotFound("no rule of this number is in force"))?;
            rules::reviewed(&mut tx, id, by, now).await?;
            "reviewed"
        }
        RuleAct::Expire => expire(&mut tx, &rows, id, by, now).await?,
    };
    let in_force = InForce::load_and_keep(&mut tx, &app.base_settings, now).await?;
    let kind = rows.iter().find(|row| row.id == id).map_or(Kind::RuleChanged, |row| kind_of(&row.kind));
    let act = Act::new(kind, done, Some(by)).about(id).policy(in_force.digest);
    app.ledger.record(&mut tx, &act).await?;
    let mut after: Vec<RuleRow> = rules::live(&mut tx).await?;
    let uses = rules::uses(&mut tx).await?;
    tx.commit().await?;
    app.set_policy(in_force);
    after.retain(|row| row.id == id);
    let ended = || {
        let row = rows.iter().filter(|row| row.id == id).max_by_key(|row| row.revision)?;
        let (ended_at_ms, ended_by) = (Some(now), Some(by.clone()));
        Some(RuleRow { state: "ended".to_owned(), ended_at_ms, ended_by, ..row.clone() })
    };
    let row = after.into_iter().max_by_key(|row| row.revision).or_else(ended).ok_or(Refusal::Internal)?;
    shown(&row, &uses)
}

/// Whether two names are one person's.
async fn same_person(tx: &mut Tx, one: &Name, other: &Name) -> Result<bool, Refusal> {
    Ok(one == other || person_of(tx, one).await? == person_of(tx, other).await?)
}

async fn expire(tx: &mut Tx, rows: &[RuleRow], id: u64, by: &Name, now: i64) -> Result<&'static str, Refusal> {
    if rows.iter().any(|row| row.id == id && row.state == "proposed") {
        rules::end(tx, id, "proposed", Some(by), now).await?;
        return Ok("withdrawn");
    }
    let row = rows.iter().find(|row| row.id == id).ok_or(Refusal::NotFound("no rule of this number is in force"))?;
    let strict = match row.kind.as_str() {
        // Without settings the usual ones hold, which may be looser.
        "settings" => true,
        _ => read::<Body>(id, &row.body)?.effect != Effect::Allow,
    };
    if strict && rules::people(tx).await? > 1 {
        match &row.end_asked_by {
            Some(first) if !same_person(tx, first, by).await? => {}
            Some(_) => {
                return Err(Refusal::Conflict(format!(
                    "{by} asked for the end of rule {id}; another person must agree"
                )));
            }
            None => {
                rules::ask_end(tx, id, by).await?;
                return Ok("end_asked");
            }
        }
    }
    rules::end(tx, id, "active", Some(by), now).await?;
    Ok("ended")
}

/// Every text that a rule ever had, and who looked at it.
pub async fn history(app: &App, id: u64) -> Result<RuleHistory, Refusal> {
    let rows = app.store.rule_texts(id).await?;
    if rows.is_empty() {
        return Err(Refusal::NotFound("there never was a rule of this number"));
    }
    let uses = app.store.rule_uses().await?;
    let texts = rows.iter().map(|row| shown(row, &uses)).collect::<Result<_, _>>()?;
    Ok(RuleHistory { texts, reviews: app.store.rule_reviews(id).await? })
}

/// Said of an exact line that no rule can let run.
const UNSETTLED: &str = "the names of files, a variable or an option decide what this line runs, so a person is asked \
                         each time; write ./* for *, names for variables, and the program itself for an option that names one";

fn is_live(row: &RuleRow) -> bool {
    matches!(row.state.as_str(), "proposed" | "active")
}

/// A stored rule as it is shown, with its uses and what its author should know.
pub fn shown(row: &RuleRow, uses: &HashMap<u64, u64>) -> Result<Rule, Refusal> {
    let mut rule = row.brief()?;
    rule.used = uses.get(&row.id).copied().unwrap_or(0);
    if row.id == SETTINGS {
        return Ok(rule);
    }
    let checked = match checked(row, None) {
        Ok(checked) => checked,
        // What is over is shown as it was, also where nobody could write it today.
        Err(_) if !is_live(row) => return Ok(rule),
        Err(error) => {
            tracing::error!(%error, "a stored rule");
            return Err(Refusal::Internal);
        }
    };
    rule.expires_at_ms = checked.expires_ms();
    let patterns = checked.body().patterns.iter().filter_map(|text| Pattern::parse(text).ok());
    rule.advice = patterns.filter_map(|pattern| advice(&pattern)).map(str::to_owned).collect();
    rule.advice.dedup();
    let open = checked
        .body()
        .exact
        .as_deref()
        .is_some_and(|line| !starts(line, "bash").is_settled(checked.body().on_terminal));
    rule.advice.extend(open.then(|| UNSETTLED.to_owned()));
    Ok(rule)
}
