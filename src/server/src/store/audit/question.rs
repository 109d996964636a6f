//! Which commands an audit asks for: one statement that walks one index in the
//! order of the answer, so that it may stop after `limit` rows.
//!
//! SQLite is told which index (`INDEXED BY`), from the filter that leaves
//! least; the others are tried on what that yields. Where a filter is several
//! values of an index (scores 70 to 100), each is a term and SQLite merges
//! them, in order again: nothing is ever sorted. Tests read the plans.

use super::AuditError;
use countersign_analysis::anomaly::Flag;
use countersign_api::audit::MAX_TEXT;
use countersign_api::service::{AuditQuery, RiskRange};
use countersign_api::triage::TriageFilter;
use countersign_core::Class;
use sqlx::{QueryBuilder, Sqlite};

/// Places in one millisecond.
const PLACES: i64 = 1 << 20;
/// The last millisecond whose places fit.
const LAST_MS: i64 = (1 << 43) - 1;
/// From so many characters on a text has trigrams.
const TRIGRAM: usize = 3;

/// The lowest position of a millisecond.
pub fn position_of(ms: i64) -> i64 {
    ms.clamp(0, LAST_MS).saturating_mul(PLACES)
}

/// The last position of the same millisecond.
pub fn last_position_of(ms: i64) -> i64 {
    position_of(ms).saturating_add(PLACES - 1)
}

/// The row after which a page begins.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    pub position: i64,
    pub number: i64,
}

/// A full-text search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    trigrams: bool,
    /// In the language of FTS5, where all of the text stands in quotes.
    matching: String,
    /// A LIKE pattern where words alone say too little.
    like: Option<(String, bool)>,
}

impl Search {
    /// For a text anywhere in a command or a claim.
    pub fn anywhere(text: Option<&str>) -> Result<Option<Self>, AuditError> {
        Self::of(text, "text", |quoted| quoted, |escaped| (format!("%{escaped}%"), false))
    }

    /// For a command that begins with a text.
    pub fn beginning(text: Option<&str>) -> Result<Option<Self>, AuditError> {
        Self::of(text, "prefix", |quoted| format!("command : ^ {quoted}"), |escaped| (format!("{escaped}%"), true))
    }

    fn of(
        text: Option<&str>,
        name: &str,
        place: impl Fn(String) -> String,
        like: impl Fn(String) -> (String, bool),
    ) -> Result<Option<Self>, AuditError> {
        let Some(text) = text else { return Ok(None) };
        let length = text.chars().count();
        if length > MAX_TEXT || text.contains('\0') {
            return Err(AuditError::Question(format!(
                "`{name}` must be 1 to {MAX_TEXT} characters, and none of them NUL"
            )));
        }
        if length >= TRIGRAM {
            return Ok(Some(Self { trigrams: true, matching: place(quoted(text)), like: None }));
        }
        let word: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        if word.is_empty() {
            return Err(AuditError::Question(format!(
                "`{name}` is too short to be found: write a letter or digit, or {TRIGRAM} characters"
            )));
        }
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        Ok(Some(Self { trigrams: false, matching: place(format!("{} *", quoted(&word))), like: Some(like(escaped)) }))
    }

    /// What is held to the text besides the index, on each row.
    fn exactly(&self) -> Vec<Cond> {
        let Some((pattern, command_only)) = &self.like else { return Vec::new() };
        let pattern = Bound::Text(pattern.clone());
        if *command_only {
            return vec![Cond::new("s.command LIKE ", pattern, " ESCAPE '\\'")];
        }
        vec![
            Cond::new("(s.command LIKE ", pattern.clone(), " ESCAPE '\\'"),
            Cond {
                joined: " OR ",
                before: "EXISTS (SELECT 1 FROM logins l WHERE l.id = s.login AND l.claimed LIKE ",
                value: pattern,
                after: " ESCAPE '\\'))",
            },
        ]
    }

    /// As a filter on the rows of another index.
    fn filter(&self) -> Vec<Cond> {
        let (before, after) = if self.trigrams {
            ("EXISTS (SELECT 1 FROM submission_text WHERE submission_text MATCH ", " AND rowid = s.position)")
        } else {
            ("EXISTS (SELECT 1 FROM submission_words WHERE submission_words MATCH ", " AND rowid = s.position)")
        };
        let mut conds = vec![Cond::new(before, Bound::Text(self.matching.clone()), after)];
        conds.extend(self.exactly());
        conds
    }
}

/// A text as one string of FTS5: whatever stands in it means itself.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[derive(Debug, Clone)]
enum Bound {
    Text(String),
    Int(i64),
}

/// A condition with its one value.
#[derive(Debug, Clone)]
struct Cond {
    joined: &'static str,
    before: &'static str,
    value: Bound,
    after: &'static str,
}

impl Cond {
    fn new(before: &'static str, value: Bound, after: &'static str) -> Self {
        Self { joined: " AND ", before, value, after }
    }

    fn text(before: &'static str, value: &str) -> Self {
        Self::new(before, Bound::Text(value.to_owned()), "")
    }

    fn int(before: &'static str, value: i64) -> Self {
        Self::new(before, Bound::Int(value), "")
    }
}

/// Where rows come from: a table with its index, and the column that has their order.
#[derive(Debug, Clone, Copy)]
struct From {
    tables: &'static str,
    order: &'static str,
    at_least: &'static str,
    below: &'static str,
}

macro_rules! from {
    ($tables:literal, $order:literal) => {
        From { tables: $tables, order: $order, at_least: concat!($order, " >= "), below: concat!($order, " < ") }
    };
}

/// An audit question, ready to be put.
#[derive(Debug)]
pub struct Asked<'a> {
    query: &'a AuditQuery,
    searches: Vec<Search>,
    hosts: Vec<String>,
    rule: Vec<String>,
    flags: Vec<&'a str>,
    before: Option<Anchor>,
}

impl<'a> Asked<'a> {
    /// Reads the filters. `hosts`: the ids of `target`.
    pub fn new(
        query: &'a AuditQuery,
        searches: [Option<Search>; 2],
        hosts: Vec<String>,
        before: Option<Anchor>,
    ) -> Result<Self, AuditError> {
        let flags: Vec<&str> = query.anomaly.iter().flat_map(|text| text.split(',')).collect();
        for flag in &flags {
            if !Flag::ALL.iter().any(|known| known.code() == *flag) {
                let known: Vec<&str> = Flag::ALL.iter().map(|flag| flag.code()).collect();
                let asked: String = flag.chars().take(80).collect();
                return Err(AuditError::Question(format!(
                    "`{asked}` is no anomaly flag; there are {}",
                    known.join(" ")
                )));
            }
        }
        let rule = query.rule.as_deref().map(deciders).transpose()?.unwrap_or_default();
        Ok(Self { query, searches: searches.into_iter().flatten().collect(), hosts, rule, flags, before })
    }

    /// The statement that yields the positions of at most `limit` commands, newest first.
    pub fn statement(&self, limit: i64) -> QueryBuilder<Sqlite> {
        let (from, terms, used) = self.terms();
        let mut sql = QueryBuilder::new("");
        for (index, term) in terms.iter().enumerate() {
            if index > 0 {
                sql.push(" UNION ALL ");
            }
            sql.push("SELECT ");
            sql.push(if terms.len() > 1 { from.order } else { "s.position" });
            sql.push(" FROM ").push(from.tables).push(" WHERE 1");
            let filters = self.bounds(from).into_iter().chain(self.filters(used));
            for Cond { joined, before, value, after } in term.iter().cloned().chain(filters) {
                sql.push(joined).push(before);
                match value {
                    Bound::Text(text) => sql.push_bind(text),
                    Bound::Int(number) => sql.push_bind(number),
                };
                sql.push(after);
            }
        }
        sql.push(" ORDER BY ").push(if terms.len() > 1 { "1" } else { from.order }).push(" DESC LIMIT ");
        sql.push_bind(limit);
        sql
    }

    /// Where rows come from, the values of its index, and which filter that is.
    fn terms(&self) -> (From, Vec<Vec<Cond>>, Filter) {
        let query = self.query;
        if let Some(session) = &query.session {
            let from = from!("submissions s INDEXED BY submissions_session", "s.number");
            return (from, vec![vec![Cond::text("s.session = ", session)]], Filter::Session);
        }
        if let Some(search) = self.searches.last() {
            let (from, before) = if search.trigrams {
                (
                    from!(
                        "submission_text CROSS JOIN submissions s ON s.position = submission_text.rowid",
                        "submission_text.rowid"
                    ),
                    "submission_text MATCH ",
                )
            } else {
                (
                    from!(
                        "submission_words CROSS JOIN submissions s ON s.position = submission_words.rowid",
                        "submission_words.rowid"
                    ),
                    "submission_words MATCH ",
                )
            };
            let mut conds = vec![Cond::text(before, &search.matching)];
            conds.extend(search.exactly());
            return (from, vec![conds], Filter::Search);
        }
        if !self.rule.is_empty() {
            let from = from!("submissions s INDEXED BY submissions_decider", "s.position");
            let terms = self.rule.iter().map(|by| vec![Cond::text("s.decided_by = ", by)]).collect();
            return (from, terms, Filter::Rule);
        }
        if let Some(name) = &query.reviewer {
            let from =
                from!("submission_reviewers r CROSS JOIN submissions s ON s.position = r.position", "r.position");
            return (from, vec![vec![Cond::text("r.reviewer = ", name.as_str())]], Filter::Reviewer);
        }
        if let Some(flag) = self.flags.first() {
            let from = from!("submission_flags f CROSS JOIN submissions s ON s.position = f.position", "f.position");
            return (from, vec![vec![Cond::text("f.flag = ", flag)]], Filter::Flag);
        }
        if let Some(verdict) = query.triage.and_then(|TriageFilter(verdict)| verdict) {
            let from = from!("submissions s INDEXED BY submissions_triage", "s.position");
            return (from, vec![vec![Cond::text("s.triage = ", verdict.as_str())]], Filter::Triage);
        }
        if let Some(user) = &query.user {
            let from = from!("submissions s INDEXED BY submissions_user", "s.position");
            return (from, vec![vec![Cond::text("s.user = ", user)]], Filter::User);
        }
        self.common_terms()
    }

    /// The filters that may leave much.
    fn common_terms(&self) -> (From, Vec<Vec<Cond>>, Filter) {
        let query = self.query;
        let scores =
            |RiskRange { from, to }| (i64::from(from)..=i64::from(to)).map(|score| Cond::int("s.score = ", score));
        match (query.risk, query.decision, &query.agent) {
            (Some(range), Some(outcome), _) => {
                let from = from!("submissions s INDEXED BY submissions_outcome_risk", "s.position");
                let outcome = Cond::text("s.outcome = ", outcome.as_str());
                (from, scores(range).map(|score| vec![outcome.clone(), score]).collect(), Filter::Risk)
            }
            (_, _, Some(agent)) => {
                let from = from!("submissions s INDEXED BY submissions_agent", "s.position");
                (from, vec![vec![Cond::text("s.agent = ", agent)]], Filter::Agent)
            }
            (Some(range), None, None) => {
                let from = from!("submissions s INDEXED BY submissions_risk", "s.position");
                (from, scores(range).map(|score| vec![score]).collect(), Filter::Risk)
            }
            (None, _, None) if !self.hosts.is_empty() => {
                let from = from!("submissions s INDEXED BY submissions_target", "s.position");
                (from, self.hosts.iter().map(|host| vec![Cond::text("s.host = ", host)]).collect(), Filter::Target)
            }
            (None, Some(outcome), None) => {
                let from = from!("submissions s INDEXED BY submissions_outcome", "s.position");
                (from, vec![vec![Cond::text("s.outcome = ", outcome.as_str())]], Filter::Outcome)
            }
            (None, None, None) => {
                let from = from!("submissions s INDEXED BY submissions_position", "s.position");
                (from, vec![Vec::new()], Filter::None)
            }
        }
    }

    /// Time, and where the page begins.
    fn bounds(&self, from: From) -> Vec<Cond> {
        let by_number = from.order == "s.number";
        let (at_least, below) =
            if by_number { ("s.position >= ", "s.position < ") } else { (from.at_least, from.below) };
        let mut bounds = Vec::new();
        if let Some(ms) = self.query.since_ms {
            bounds.push(Cond::int(at_least, if ms > LAST_MS { i64::MAX } else { position_of(ms) }));
        }
        // Always one, so that no index is walked from its end without a word of why.
        let until = self.query.until_ms.filter(|ms| *ms <= LAST_MS).map_or(i64::MAX, position_of);
        let before = self.before.map_or(i64::MAX, |anchor| if by_number { anchor.number } else { anchor.position });
        if by_number {
            bounds.push(Cond::int(below, until));
            bounds.push(Cond::int(from.below, before));
        } else {
            bounds.push(Cond::int(below, until.min(before)));
        }
        bounds
    }

    /// Every filter but the one that the index has.
    fn filters(&self, used: Filter) -> Vec<Cond> {
        let query = self.query;
        let mut conds = Vec::new();
        if let Some(session) = query.session.as_ref().filter(|_| used != Filter::Session) {
            conds.push(Cond::text("s.session = ", session));
        }
        let searched = usize::from(used == Filter::Search);
        let searches = self.searches.iter().rev().skip(searched);
        conds.extend(searches.flat_map(Search::filter));
        if used != Filter::Rule {
            conds.extend(one_of(&self.rule, "s.decided_by = "));
        }
        if let Some(name) = query.reviewer.as_ref().filter(|_| used != Filter::Reviewer) {
            let before = "EXISTS (SELECT 1 FROM submission_reviewers r WHERE r.position = s.position AND r.reviewer = ";
            conds.push(Cond::new(before, Bound::Text(name.to_string()), ")"));
        }
        let before = "EXISTS (SELECT 1 FROM submission_flags f WHERE f.position = s.position AND f.flag = ";
        let more = self.flags.iter().skip(usize::from(used == Filter::Flag));
        conds.extend(more.map(|flag| Cond::new(before, Bound::Text((*flag).to_owned()), ")")));
        if let Some(asked) = query.triage.filter(|_| used != Filter::Triage) {
            conds.push(Cond::text("COALESCE(s.triage, 'none') = ", asked.as_str()));
        }
        if let Some(user) = query.user.as_ref().filter(|_| used != Filter::User) {
            conds.push(Cond::text("s.user = ", user));
        }
        if let Some(agent) = query.agent.as_ref().filter(|_| used != Filter::Agent) {
            conds.push(Cond::text("s.agent = ", agent));
        }
        if used != Filter::Target {
            conds.extend(one_of(&self.hosts, "s.host = "));
        }
        if let Some(RiskRange { from, to }) = query.risk.filter(|_| used != Filter::Risk) {
            conds.push(Cond::int("s.score >= ", i64::from(from)));
            conds.push(Cond::int("s.score <= ", i64::from(to)));
        }
        let with_risk = used == Filter::Risk && query.decision.is_some();
        if let Some(outcome) = query.decision.filter(|_| used != Filter::Outcome && !with_risk) {
            conds.push(Cond::text("s.outcome = ", outcome.as_str()));
        }
        conds
    }
}

/// Which filter the index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Session,
    Search,
    Rule,
    Reviewer,
    Flag,
    Triage,
    User,
    Agent,
    Target,
    Risk,
    Outcome,
    None,
}

/// A column that is one of several values.
fn one_of(values: &[String], column: &'static str) -> Vec<Cond> {
    let json = match values {
        [] => return Vec::new(),
        [only] => return vec![Cond::text(column, only)],
        // A list of plain texts always becomes JSON.
        several => serde_json::to_string(several).unwrap_or_default(),
    };
    let before = match column {
        "s.host = " => "s.host IN (SELECT value FROM json_each(",
        _ => "s.decided_by IN (SELECT value FROM json_each(",
    };
    vec![Cond::new(before, Bound::Text(json), "))")]
}

/// What stands in the record where this rule decided.
fn deciders(rule: &str) -> Result<Vec<String>, AuditError> {
    let class = rule.strip_prefix("threshold:").map(str::parse::<Class>);
    if let Some(Ok(class)) = class {
        return Ok(vec![format!("threshold:{}", class.as_str())]);
    }
    match rule.parse::<u64>() {
        Ok(id) if rule.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(["whitelist_rule", "deny_rule", "grant"].iter().map(|kind| format!("{kind}:{id}")).collect())
        }
        Ok(_) | Err(_) => {
            let asked: String = rule.chars().take(80).collect();
            Err(AuditError::Question(format!(
                "`{asked}` is no rule; write its number as `rules list` shows it, or threshold:CLASS"
            )))
        }
    }
}
