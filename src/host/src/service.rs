//! The approval service as the host sees it: HTTPS with the certificate pinned
//! at enrolment, plain HTTP to loopback only.

use countersign_api::pinned::tls_to;
use countersign_api::rules::PolicyText;
use countersign_api::service::{
    CheckpointReply, CheckpointRequest, Conflict, DecisionReply, EnrollReply, EnrollRequest, EntriesReply,
    EntriesRequest, ErrorBody, HostState, RecordingReply, SubmitReply, SubmitRequest,
};
use countersign_core::{Digest, LoginId, SubmissionId};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Longest answer that is read, in bytes.
const MAX_REPLY: usize = 1024 * 1024;
/// The same for a policy, of which much may be escaped.
const MAX_POLICY_REPLY: usize = 40 * 1024 * 1024;
/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);
/// The service closes a connection that is idle for 30 s; we drop it first.
const IDLE: Duration = Duration::from_secs(20);
/// The service takes only so many connections; after many at once these are kept.
const MOST_IDLE: usize = 8;
/// How long an answer may take beyond what the request itself waits for.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServiceError {
    /// No answer.
    #[error("the approval service cannot be reached: {0}")]
    Unreachable(String),
    /// An answer that says no.
    #[error("the approval service refused ({status}): {error}")]
    Refused { status: u16, error: String },
    /// The entries do not fit what the service holds.
    #[error("the approval service wants entry {} next: {}", .0.next_seq, .0.error)]
    Conflict(Conflict),
    /// The recording does not fit what the service holds.
    #[error("the approval service holds {0} bytes of the recording")]
    Held(u64),
    /// Something on this host.
    #[error("{0}")]
    Local(String),
    /// An answer that is not one.
    #[error("the approval service sent an answer that cannot be read: {0}")]
    Malformed(String),
}

/// A client for one service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Service {
    /// A client for `url`. `fingerprint` is the certificate to accept.
    pub(crate) fn new(url: &str, fingerprint: Option<Digest>, token: Option<String>) -> Result<Self, String> {
        let base = url.trim_end_matches('/').to_owned();
        let parsed = reqwest::Url::parse(&base).map_err(|why| format!("{url} is not an address: {why}"))?;
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .tcp_nodelay(true);
        // Plain HTTP never uses TLS; the zero pin matches no certificate.
        let tls = tls_to(fingerprint.unwrap_or(Digest::ZERO)).map_err(|why| format!("cannot set up TLS: {why}"))?;
        builder = builder.tls_backend_preconfigured(tls);
        match (parsed.scheme(), fingerprint) {
            ("https", Some(_)) => {}
            ("https", None) => {
                return Err(format!("{url} needs the certificate's fingerprint; use a token that carries it"));
            }
            ("http", _) if is_loopback(&parsed) => {}
            ("http", _) => return Err(format!("{url} is plain HTTP beyond this machine; use https")),
            (other, _) => return Err(format!("{other} is not supported; use https")),
        }
        let http = builder.build().map_err(|why| format!("cannot make an HTTP client: {why}"))?;
        Ok(Self { http, base, token })
    }

    pub(crate) async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollReply, ServiceError> {
        self.call(self.request(Method::POST, "/api/enroll").json(request), ANSWER).await
    }

    pub(crate) async fn state(&self) -> Result<HostState, ServiceError> {
        self.call(self.request(Method::GET, "/api/host"), ANSWER).await
    }

    pub(crate) async fn entries(&self, lines: Vec<String>) -> Result<EntriesReply, ServiceError> {
        self.call(self.request(Method::POST, "/api/entries").json(&EntriesRequest { lines }), ANSWER).await
    }

    pub(crate) async fn checkpoint(&self, request: &CheckpointRequest) -> Result<CheckpointReply, ServiceError> {
        self.call(self.request(Method::POST, "/api/checkpoints").json(request), ANSWER).await
    }

    pub(crate) async fn submit(&self, request: &SubmitRequest) -> Result<SubmitReply, ServiceError> {
        self.call(self.request(Method::POST, "/api/submissions").json(request), ANSWER).await
    }

    pub(crate) async fn decision(&self, id: SubmissionId, wait_ms: u64) -> Result<DecisionReply, ServiceError> {
        let path = format!("/api/submissions/{id}/decision?wait_ms={wait_ms}");
        self.call(self.request(Method::GET, &path), ANSWER + Duration::from_millis(wait_ms)).await
    }

    pub(crate) async fn recording(&self, login: LoginId, offset: u64, bytes: Vec<u8>) -> Result<u64, ServiceError> {
        let path = format!("/api/recordings/{login}?offset={offset}");
        let reply: RecordingReply = self.call(self.request(Method::POST, &path).body(bytes), ANSWER).await?;
        Ok(reply.held)
    }

    /// The text of a policy that decisions name.
    pub(crate) async fn policy(&self, digest: Digest) -> Result<String, ServiceError> {
        let request = self.request(Method::GET, &format!("/api/policies/{digest}"));
        let reply: PolicyText = self.call_for(request, ANSWER, MAX_POLICY_REPLY).await?;
        Ok(reply.text)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn call<T: DeserializeOwned>(&self, request: RequestBuilder, limit: Duration) -> Result<T, ServiceError> {
        self.call_for(request, limit, MAX_REPLY).await
    }

    async fn call_for<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        limit: Duration,
        most: usize,
    ) -> Result<T, ServiceError> {
        let mut response =
            request.timeout(limit).send().await.map_err(|why| ServiceError::Unreachable(root_cause(&why)))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|why| ServiceError::Unreachable(root_cause(&why)))? {
            body.extend_from_slice(&part);
            if body.len() > most {
                return Err(ServiceError::Malformed(format!("more than {most} bytes")));
            }
        }
        if status == StatusCode::OK || status == StatusCode::CREATED || status == StatusCode::ACCEPTED {
            return serde_json::from_slice(&body).map_err(|why| ServiceError::Malformed(why.to_string()));
        }
        Err(refusal(status, &body))
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> ServiceError {
    if status == StatusCode::CONFLICT {
        if let Ok(conflict) = serde_json::from_slice::<Conflict>(body) {
            return ServiceError::Conflict(conflict);
        }
        if let Ok(reply) = serde_json::from_slice::<RecordingReply>(body) {
            return ServiceError::Held(reply.held);
        }
    }
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(told) => ServiceError::Refused { status: status.as_u16(), error: told.error },
        Err(_) => ServiceError::Malformed(format!("status {} without a reason", status.as_u16())),
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let plain = host.trim_matches(['[', ']']);
    plain == "localhost" || plain.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1"] {
            assert!(Service::new(good, None, None).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1",
            "http://example.org",
            "http://127.0.0.1.example.org",
            "https://127.0.0.1",
            "ftp://127.0.0.1",
            "x",
        ] {
            assert!(Service::new(bad, None, None).is_err(), "{bad}");
        }
    }
}
