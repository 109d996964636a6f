//! What every request shares: store, decision key, rules in force, and the
//! bell that wakes those who wait.

use crate::in_force::InForce;
use crate::own_ledger::{OwnLedger, SharedSigner};
use crate::recording_files::RecordingFiles;
use crate::refusal::Refusal;
use crate::store::{Decision, Store, Submission};
use countersign_api::service::SignedDecision;
use countersign_core::{Choice, DecidedBy, Digest, ServiceId};
use countersign_ledger::tlog::NoteText;
use countersign_ledger::{Admins, SignError, Signer, Statement, key_id};
use countersign_policy::Settings;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, Semaphore, watch};

/// One in so many connections may be held by a request that waits for a decision.
const WAITING_PART: usize = 2;

/// The running service.
pub struct App {
    /// The database.
    pub store: Store,
    /// The service's own ledger.
    pub ledger: OwnLedger,
    /// Files of recordings.
    pub recordings: RecordingFiles,
    /// This service.
    pub service: ServiceId,
    /// Its decision key.
    pub public_key: Digest,
    /// Rung when a submission is asked about, so that its deadline is watched.
    pub asked: Notify,
    /// Held while the rules change, so that stored and in force do not part.
    pub rules_change: tokio::sync::Mutex<()>,
    /// The settings of a policy where none are stored.
    pub base_settings: Settings,
    /// Who must have signed what hosts take out; `None`: a host's word is enough.
    pub removal_admins: Option<Admins>,
    /// Places for requests that wait for a decision: each holds a connection, of which others need some.
    pub waits: Semaphore,
    key: String,
    signer: SharedSigner,
    policy: RwLock<Arc<InForce>>,
    decided: watch::Sender<u64>,
    stopping: AtomicBool,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("service", &self.service).field("key", &self.key).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together, for so many connections.
    pub fn new(
        store: Store,
        recordings: RecordingFiles,
        service: ServiceId,
        signer: Box<dyn Signer>,
        (policy, base_settings): (InForce, Settings),
        removal_admins: Option<Admins>,
        connections: usize,
    ) -> Self {
        let public_key = signer.public_key();
        let signer: SharedSigner = Arc::new(Mutex::new(signer));
        Self {
            store,
            ledger: OwnLedger::new(service, Arc::clone(&signer)),
            recordings,
            service,
            public_key,
            asked: Notify::new(),
            rules_change: tokio::sync::Mutex::new(()),
            base_settings,
            removal_admins,
            waits: Semaphore::new((connections / WAITING_PART).min(Semaphore::MAX_PERMITS)),
            key: key_id(&public_key),
            signer,
            policy: RwLock::new(Arc::new(policy)),
            decided: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// The rules in force.
    pub fn policy(&self) -> Arc<InForce> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in force, from the next question on.
    pub fn set_policy(&self, policy: InForce) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// Call after the commit that took something out: removes recordings that
    /// were erased, and what the database's files still hold of the rest.
    pub async fn erased(&self) {
        if let Err(error) = self.recordings.drop_erased(&self.store).await {
            tracing::error!(%error, "erased recordings; the next start tries again");
        }
        if let Err(error) = self.store.forget_overwritten().await {
            tracing::error!(%error, "what was erased may still stand in the database's log until it is overwritten");
        }
    }

    /// Signs a decision. It counts once it is committed, not before.
    pub fn sign(
        &self,
        submission: &Submission,
        by: DecidedBy,
        choice: Choice,
        comment: Option<String>,
        policy: Digest,
    ) -> Result<Decision, SignError> {
        let statement = Statement {
            by: by.clone(),
            decision: choice,
            entry: submission.entry,
            exp_ms: submission.wait_ms,
            host: submission.host,
            key: self.key.clone(),
            nonce: submission.nonce,
            policy,
        };
        let mut signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        let (statement, sig) = statement.sign(signer.as_mut())?;
        Ok(Decision { choice, by, signed: SignedDecision { statement, sig, comment, reviews: Vec::new() } })
    }

    /// Signs a checkpoint or a cosignature.
    pub fn sign_note(&self, text: &NoteText) -> Result<[u8; 64], SignError> {
        self.signer.lock().unwrap_or_else(PoisonError::into_inner).sign_note(text)
    }

    /// Wakes everybody who waits for a decision. Call after the commit.
    pub fn ring(&self) {
        self.decided.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Hears [`App::ring`]; nothing rung after this call is missed.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.decided.subscribe()
    }

    /// No more waiting: the service stops.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.ring();
    }

    /// Whether the service stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// The wall clock, ms since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs work that must not stop half-way because a client hung up: a commit
/// whose waiters are not woken, a rule that is stored and not in force.
pub async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended in a defect");
        Err(Refusal::Internal)
    })
}
