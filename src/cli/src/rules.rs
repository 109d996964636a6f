//! `countersign rules`: the whitelist and everything else that decides without
//! a person. Reads, asks the service and shows; `check` and `test --file` need none.

use crate::args::Where;
use crate::args::rules::{Add, EffectWord, Grant, Numbers, Rules, Speaks, Test, Texts};
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::rows;
use crate::screen::{note, show, show_json};
use crate::words::now_ms;
use countersign_api::rules::{NewGrant, NewRule, Rule, RuleAct, RuleTest, RuleVerdict, RulesFile, Step};
use countersign_core::{Choice, CommandText, HostId, Name, counted, legible};
use countersign_policy::{Asked, Body, Document, Effect, Facts, Kind, Now, Policy, Reading, Ruling, Target};
use std::io::ErrorKind;
use std::path::Path;

/// `countersign rules …`
pub async fn run(args: &Rules, json: bool) -> Result<(), Failure> {
    match args {
        Rules::Check { file } => check(file, json),
        Rules::Test(test) => match &test.file {
            Some(file) => verdict(&test_file(test, file)?, json),
            None => {
                let link = Link::open(&test.at).await?;
                let said = link.client().test_rule(&asked(test)).await;
                link.close().await;
                verdict(&said?, json)
            }
        },
        Rules::List(at) => {
            let link = Link::open(at).await?;
            let rules = link.client().rules().await;
            link.close().await;
            list(&rules?, json)
        }
        Rules::Show { id, at } => {
            let link = Link::open(at).await?;
            let history = link.client().rule_history(*id).await;
            link.close().await;
            let history = history?;
            if json { show_json(&history) } else { show(&rows::rule_history(&history)) }
        }
        Rules::Export(at) => {
            let link = Link::open(at).await?;
            let file = link.client().export_rules().await;
            link.close().await;
            if json { show_json(&file?) } else { show(&file?.toml) }
        }
        Rules::Suggest(at) => {
            let link = Link::open(at).await?;
            let found = link.client().suggestions().await;
            link.close().await;
            let found = found?;
            if json { show_json(&found) } else { show(&rows::suggestions(&found)) }
        }
        Rules::Add(add) => {
            let new = NewRule { body: Some(value(&body_of(add))?), ..NewRule::default() };
            let link = Link::open(&add.at).await?;
            let rule = link.client().add_rule(&new).await;
            link.close().await;
            one(&rule?, json)
        }
        Rules::Grant(grant) => {
            let link = Link::open(&grant.at).await?;
            let rule = give(link.client(), grant).await;
            link.close().await;
            one(&rule?, json)
        }
        Rules::Import(import) => {
            let toml = text_of(&import.file)?;
            // What is wrong is said here, with the file's own lines, before anything is sent.
            parse(&import.file, &toml)?;
            let link = Link::open(&import.at).await?;
            let rules = link.client().import_rules(&RulesFile { toml }).await;
            link.close().await;
            let rules = rules?;
            if rules.is_empty() && !json {
                note("nothing changed: these rules are there already");
            }
            if json { show_json(&rules) } else { show(&rules.iter().map(rows::rule).collect::<String>()) }
        }
        Rules::Approve(Texts { texts, at }) => acts(at, texts, RuleAct::Approve, json).await,
        Rules::Review(Numbers { ids, at }) => acts(at, &whole(ids), RuleAct::Review, json).await,
        Rules::Expire(Numbers { ids, at }) => acts(at, &whole(ids), RuleAct::Expire, json).await,
    }
}

/// Gives a grant.
async fn give(client: &Client, grant: &Grant) -> Result<Rule, Failure> {
    let body = Body {
        agents: vec![grant.agent.clone()],
        targets: vec![grant.target.clone()],
        session: grant.session.clone(),
        uses: Some(grant.uses),
        ..spoken(&grant.speaks)
    };
    client.grant(&NewGrant { body: value(&body)?, minutes: grant.minutes }).await
}

/// Rules by number alone: which text of them there is does not matter.
fn whole(ids: &[u64]) -> Vec<(u64, u64)> {
    ids.iter().map(|id| (*id, 0)).collect()
}

async fn acts(at: &Where, rules: &[(u64, u64)], act: RuleAct, json: bool) -> Result<(), Failure> {
    let link = Link::open(at).await?;
    let mut done = Vec::new();
    let mut failed = Ok(());
    for (id, revision) in rules {
        let rule = match act {
            RuleAct::Approve => link.client().approve_rule(*id, *revision).await,
            RuleAct::Review | RuleAct::Expire => link.client().act_on_rule(*id, act).await,
        };
        match rule {
            Ok(rule) => done.push(rule),
            Err(failure) => {
                failed = Err(failure);
                break;
            }
        }
    }
    link.close().await;
    if json {
        show_json(&done)?;
    } else {
        show(&done.iter().map(rows::rule).collect::<String>())?;
    }
    failed
}

fn list(rules: &[Rule], json: bool) -> Result<(), Failure> {
    if json {
        return show_json(&rules);
    }
    if rules.is_empty() {
        note("the whitelist is empty: every command waits for a person");
    }
    show(&rules.iter().map(rows::rule).collect::<String>())
}

fn one(rule: &Rule, json: bool) -> Result<(), Failure> {
    if json {
        return show_json(rule);
    }
    for advice in &rule.advice {
        note(&format!("note: {advice}"));
    }
    if rule.state == "proposed" {
        note(&format!("another person must approve it: countersign rules approve {}", rule.id));
    }
    show(&rows::rule(rule))
}

fn verdict(verdict: &RuleVerdict, json: bool) -> Result<(), Failure> {
    if json { show_json(verdict) } else { show(&rows::verdict(verdict)) }
}

fn value(body: &Body) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(body).map_err(|e| Failure::Internal(format!("cannot write the rule: {e}")))
}

fn spoken(speaks: &Speaks) -> Body {
    Body {
        exact: speaks.exact.clone(),
        patterns: speaks.patterns.clone(),
        shell: Some(speaks.shell.clone()).filter(|shell| shell != countersign_api::service::DEFAULT_SHELL),
        on_terminal: speaks.on_terminal,
        ..Body::default()
    }
}

fn body_of(add: &Add) -> Body {
    let effect = match add.effect {
        EffectWord::Allow => Effect::Allow,
        EffectWord::Deny => Effect::Deny,
        EffectWord::Ask => Effect::Ask,
    };
    Body {
        effect,
        secrets: add.secrets.clone(),
        anomalies: add.anomalies.clone(),
        agents: add.agents.clone(),
        targets: add.targets.clone(),
        classes: add.classes.clone(),
        cwd: add.cwd.clone(),
        writes: add.writes.clone(),
        assignments: add.assignments.clone(),
        expires: add.expires.clone(),
        uses: add.uses,
        owner: add.owner.clone(),
        note: add.note.clone(),
        matches: add.matches.clone(),
        no_match: add.no_match.clone(),
        ..spoken(&add.speaks)
    }
}

fn asked(test: &Test) -> RuleTest {
    RuleTest {
        line: test.line.clone(),
        agent: test.agent.clone(),
        target: test.target.clone(),
        shell: test.shell.clone(),
        on_terminal: test.on_terminal,
        cwd: test.cwd.clone(),
        session: test.session.clone(),
    }
}

fn text_of(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            Failure::NotFound(format!("{} does not exist", file.display()))
        } else if error.kind() == ErrorKind::InvalidData {
            Failure::BadFile(format!("{} is not UTF-8 text", file.display()))
        } else {
            Failure::io("read", file.display(), &error)
        }
    })
}

fn parse(file: &Path, text: &str) -> Result<Document, Failure> {
    Document::parse(text).map_err(|error| Failure::BadFile(format!("{}: {error}", file.display())))
}

fn check(file: &Path, json: bool) -> Result<(), Failure> {
    let document = parse(file, &text_of(file)?)?;
    let (rules, examples) = (
        document.rules.len(),
        document.rules.iter().map(|rule| rule.body.matches.len() + rule.body.no_match.len()).sum::<usize>(),
    );
    if json {
        return show_json(
            &serde_json::json!({"rules": rules, "examples": examples, "settings": document.settings.is_some()}),
        );
    }
    let say = if examples == 1 { "says" } else { "say" };
    show(&format!(
        "{}: {}, {} as {} {say}\n",
        legible(&file.display().to_string()),
        counted(rules, "rule"),
        counted(examples, "example"),
        if examples == 1 { "it" } else { "they" }
    ))
}

/// Tries a line on the rules of a file.
fn test_file(test: &Test, file: &Path) -> Result<RuleVerdict, Failure> {
    let document = parse(file, &text_of(file)?)?;
    let bad = |error: &dyn std::fmt::Display| Failure::BadFile(format!("{}: {error}", file.display()));
    let nobody: Name = "nobody".parse().map_err(|e| bad(&e))?;
    let mut policy = Policy::new(document.settings.unwrap_or_default()).map_err(|e| bad(&e))?;
    let taken: Vec<u64> = document.rules.iter().filter_map(|rule| rule.id).collect();
    let mut free = (1..).filter(|id| !taken.contains(id));
    for rule in document.rules {
        let id = rule.id.or_else(|| free.next()).unwrap_or(0);
        let rule = countersign_policy::Rule::check(id, Kind::Standing, nobody.clone(), nobody.clone(), rule.body, None);
        policy.add(rule.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
    }
    let host = HostId::from_random([0; 16]);
    let name: Name =
        test.target.as_deref().unwrap_or("target").parse().map_err(|e| Failure::Usage(format!("`--target`: {e}")))?;
    policy.set_target(Target { host, name, class: test.class });
    let whole = CommandText::parse(test.line.as_bytes()).ok();
    let asked = Asked {
        whole: whole.as_ref(),
        shell: &test.shell,
        terminal: test.on_terminal,
        agent: &test.agent,
        host,
        session: &test.session,
        cwd: &test.cwd,
        // What its programs are is known on its host only; what the line leaves open is seen
        // here. On a terminal the shell may go on from line to line.
        words_known: countersign_analysis::starts(&test.line, &test.shell).is_settled(test.on_terminal),
    };
    let reading = Reading::of(&test.line, &test.shell, Some(&test.cwd));
    let facts = Facts { reading: &reading, score: None, anomalies: &[], secrets: &[] };
    let verdict = policy.decide(&asked, &facts, &Now { at_ms: now_ms(), uses: &|_| 0 });
    let steps = verdict.steps.iter().map(|s| Step { step: s.step.to_owned(), found: s.found.clone() }).collect();
    let (decision, by, people) = match verdict.ruling {
        Ruling::Pass(passed) => (Some(Choice::Approve), Some(passed.by().to_string()), 0),
        Ruling::Block { rule } => (Some(Choice::Deny), Some(format!("deny_rule:{rule}")), 0),
        Ruling::Ask { people } => (None, None, people),
    };
    Ok(RuleVerdict { decision, by, people, steps })
}
