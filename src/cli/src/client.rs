//! The service as a reviewer's tool sees it: one client, one method a route.

use crate::failure::Failure;
use crate::reviewer::Reviewer;
use countersign_api::ledgers::{EntriesFrom, LedgerOf, LedgerQuery, PartFrom};
use countersign_api::pinned::tls_to;
use countersign_api::rules::{NewGrant, RuleAct, RuleHistory, RuleTest, RuleVerdict, RulesFile, Suggestions};
use countersign_api::service::{
    AuditQuery, AuditRecord, AuditRow, ErrorBody, NewRule, PendingSubmission, ProgramReply, ReviewReply, ReviewRequest,
    Rule, SessionRow, SubmissionEntry,
};
use countersign_api::triage::{TriageRequest, Triaged};
use countersign_core::{HostId, LoginId, SubmissionId};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(5);
/// The service closes a connection that is idle for 30 s; we drop it first.
const IDLE: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(60);
/// Where `localhost` is, whatever a name server says; the port is the URL's.
const LOOPBACK: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0)];
/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Longest recording that is fetched, in bytes.
const MAX_RECORDING: usize = 1024 * 1024 * 1024;

/// A connection to one service as one reviewer. Building it costs
/// milliseconds: a command builds one.
pub struct Client {
    http: reqwest::Client,
    reviewer: Reviewer,
}

impl Client {
    /// Prepares to talk; nothing is sent yet.
    pub fn new(reviewer: Reviewer) -> Result<Self, Failure> {
        let unfit = |what: String| Failure::Config(format!("{}: {what}", reviewer.path.display()));
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", reviewer.token))
            .map_err(|_| unfit("`token` holds characters that cannot be sent".into()))?;
        bearer.set_sensitive(true);
        let plain = reviewer.service.scheme() == "http";
        let tls = match reviewer.fingerprint {
            Some(fingerprint) => tls_to(fingerprint),
            // Plain http to ourselves: no certificate has this digest, so no TLS peer is ever trusted.
            None => tls_to(countersign_core::Digest::ZERO),
        }
        .map_err(|e| Failure::Internal(format!("cannot prepare TLS: {e}")))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(!plain)
            .redirect(redirect::Policy::none())
            .resolve_to_addrs("localhost", &LOOPBACK)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .read_timeout(ANSWER)
            .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]));
        if plain {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| Failure::Internal(format!("cannot prepare the connection: {e}")))?;
        Ok(Self { http, reviewer })
    }

    /// What waits.
    pub async fn pending(&self) -> Result<Vec<PendingSubmission>, Failure> {
        self.read(self.http.get(self.address("/api/submissions"))).await
    }

    /// The host's own entry of a submission.
    pub async fn entry(&self, id: SubmissionId) -> Result<SubmissionEntry, Failure> {
        self.read(self.http.get(self.address(&format!("/api/submissions/{id}/entry")))).await
    }

    /// Who asks.
    pub fn reviewer(&self) -> &Reviewer {
        &self.reviewer
    }

    /// Decides one submission.
    pub async fn decide(&self, id: SubmissionId, review: &ReviewRequest) -> Result<ReviewReply, Failure> {
        self.read(self.http.post(self.address(&format!("/api/submissions/{id}/decision"))).json(review)).await
    }

    /// The text of the program on a submission's standard input.
    pub async fn program(&self, id: SubmissionId) -> Result<String, Failure> {
        let reply: ProgramReply =
            self.read(self.http.get(self.address(&format!("/api/submissions/{id}/program")))).await?;
        Ok(reply.text)
    }

    /// Rows of the audit, newest first.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, Failure> {
        self.read(self.http.get(self.address("/api/audit")).query(query)).await
    }

    /// The whole record of the command whose id begins so: letters and digits only.
    pub async fn record(&self, id: &str) -> Result<AuditRecord, Failure> {
        match self.read(self.http.get(self.address(&format!("/api/audit/{id}")))).await {
            Err(Failure::NotFound(text)) => {
                Err(Failure::NotFound(text.replace("begins so", &format!("begins with `{id}`"))))
            }
            found => found,
        }
    }

    /// Says what a command was.
    pub async fn triage(&self, id: SubmissionId, found: &TriageRequest) -> Result<Triaged, Failure> {
        self.read(self.http.post(self.address(&format!("/api/audit/{id}/triage"))).json(found)).await
    }

    /// Work sessions, newest first.
    pub async fn sessions(&self, limit: u32) -> Result<Vec<SessionRow>, Failure> {
        self.read(self.http.get(self.address("/api/sessions")).query(&[("limit", limit)])).await
    }

    /// Where a session, or a host's history, stands.
    pub async fn ledger(&self, query: &LedgerQuery) -> Result<LedgerOf, Failure> {
        self.read(self.http.get(self.address("/api/ledgers")).query(query)).await
    }

    /// Lines of a host's ledger from a seq on; empty where there are no more.
    pub async fn entries(&self, host: HostId, from: u64) -> Result<Vec<u8>, Failure> {
        let request = self.http.get(self.address(&format!("/api/ledgers/{host}/entries")));
        let answer = self.send(request.query(&EntriesFrom { from })).await?;
        self.body(answer, MAX_ANSWER).await
    }

    /// A part of a host's ledger from a seq on; empty where it has ended.
    pub async fn part(&self, host: HostId, asked: &PartFrom) -> Result<Vec<u8>, Failure> {
        let request = self.http.get(self.address(&format!("/api/ledgers/{host}/part")));
        let answer = self.send(request.query(asked)).await?;
        self.body(answer, MAX_ANSWER).await
    }

    /// The whitelist.
    pub async fn rules(&self) -> Result<Vec<Rule>, Failure> {
        self.read(self.http.get(self.address("/api/rules"))).await
    }

    /// Every text that a rule ever had.
    pub async fn rule_history(&self, id: u64) -> Result<RuleHistory, Failure> {
        self.read(self.http.get(self.address(&format!("/api/rules/{id}")))).await
    }

    /// Adds to the whitelist.
    pub async fn add_rule(&self, rule: &NewRule) -> Result<Rule, Failure> {
        self.read(self.http.post(self.address("/api/rules")).json(rule)).await
    }

    /// Gives a grant.
    pub async fn grant(&self, grant: &NewGrant) -> Result<Rule, Failure> {
        self.read(self.http.post(self.address("/api/grants")).json(grant)).await
    }

    /// Takes a file of rules.
    pub async fn import_rules(&self, file: &RulesFile) -> Result<Vec<Rule>, Failure> {
        self.read(self.http.post(self.address("/api/rules/import")).json(file)).await
    }

    /// The rules in force as a file.
    pub async fn export_rules(&self) -> Result<RulesFile, Failure> {
        self.read(self.http.get(self.address("/api/rules/export"))).await
    }

    /// Approves the text of a rule that was looked at.
    pub async fn approve_rule(&self, id: u64, revision: u64) -> Result<Rule, Failure> {
        self.read(self.http.post(self.address(&format!("/api/rules/{id}/approve?revision={revision}")))).await
    }

    /// Reviews or ends a rule.
    pub async fn act_on_rule(&self, id: u64, act: RuleAct) -> Result<Rule, Failure> {
        self.read(self.http.post(self.address(&format!("/api/rules/{id}/{}", act.as_str())))).await
    }

    /// Tries a line on the rules in force.
    pub async fn test_rule(&self, test: &RuleTest) -> Result<RuleVerdict, Failure> {
        self.read(self.http.post(self.address("/api/rules/test")).json(test)).await
    }

    /// What history suggests.
    pub async fn suggestions(&self) -> Result<Suggestions, Failure> {
        self.read(self.http.get(self.address("/api/rules/suggestions"))).await
    }

    /// The recording of a login: an asciicast.
    pub async fn recording(&self, login: LoginId) -> Result<Vec<u8>, Failure> {
        let request = self.http.get(self.address(&format!("/api/recordings/{login}")));
        let answer = self.send(request).await?;
        self.body(answer, MAX_RECORDING).await
    }

    /// The same, handed on as it comes. Answers its length.
    pub async fn recording_into(
        &self,
        login: LoginId,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let request = self.http.get(self.address(&format!("/api/recordings/{login}")));
        let (mut answer, mut length) = (self.send(request).await?, 0u64);
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.unreachable(&e))? {
            length = length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            take(&chunk)?;
        }
        Ok(length)
    }

    /// Whether the service answers at all.
    pub async fn is_up(&self) -> bool {
        let asked = self.http.get(self.address("/healthz")).timeout(CONNECT).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.reviewer.service.as_str().trim_end_matches('/'))
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let answer = self.send(request).await?;
        let bytes = self.body(answer, MAX_ANSWER).await?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::Unavailable(format!(
                "{} answered what this version does not understand ({e}); are service and command of the same version?",
                self.reviewer.service
            ))
        })
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = self.body(answer, MAX_ANSWER).await.unwrap_or_default();
        let said = serde_json::from_slice::<ErrorBody>(&bytes).map(|body| body.error);
        Err(self.refusal(status, said.ok()))
    }

    async fn body(&self, mut answer: Response, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.unreachable(&e))? {
            if bytes.len() + chunk.len() > limit {
                return Err(Failure::Unavailable(format!("the answer is longer than {limit} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn refusal(&self, status: StatusCode, said: Option<String>) -> Failure {
        let file = self.reviewer.path.display();
        let text = said.unwrap_or_else(|| format!("{} answered {status}", self.reviewer.service));
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Config(format!(
                "{text} (the token in {file} was refused; a new one comes from `countersign-server reviewer add` or `rotate`)"
            )),
            StatusCode::NOT_FOUND => Failure::NotFound(text),
            _ if status.is_client_error() => Failure::Refused(text),
            _ => Failure::Unavailable(text),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let (service, file) = (&self.reviewer.service, self.reviewer.path.display());
        let mut cause: &dyn Error = error;
        loop {
            if let Some(text) = not_pinned(cause) {
                return Failure::Config(format!("{service} is not the service that {file} names: {text}"));
            }
            let Some(deeper) = cause.source() else { break };
            cause = deeper;
        }
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
        Failure::Unavailable(format!(
            "cannot talk to {service}: {why}; is the service running, and is `service` in {file} right?"
        ))
    }
}

/// What our own check of the certificate said, where it is the cause. An
/// `io::Error` hides what it wraps from `source`, and here one wraps another.
fn not_pinned<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a str> {
    if let Some(wrapper) = cause.downcast_ref::<std::io::Error>() {
        return not_pinned(wrapper.get_ref()?);
    }
    match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::General(text)) => Some(text),
        Some(_) | None => None,
    }
}
