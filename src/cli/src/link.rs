//! How a command reaches the service: by a reviewer.toml, or through the state
//! directory of a trial, whose service is started for the query when it does
//! not run.

use crate::args::Where;
use crate::client::Client;
use crate::failure::Failure;
use crate::reviewer::{Reviewer, locate};
use crate::trial::{Service, StateDir, server_program};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long a trial that is being started by somebody else is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

/// A client, and the service that may have been started for it.
pub struct Link {
    client: Client,
    service: Option<Service>,
}

impl Link {
    /// Reaches a service for a query.
    pub async fn open(at: &Where) -> Result<Self, Failure> {
        let Some(state) = &at.state else { return Self::by_file(&locate(at.config.as_deref())?) };
        let dir = StateDir::open(state)?;
        if !dir.has_service() {
            return Self::by_file(&dir.reviewer());
        }
        let began = Instant::now();
        loop {
            if let Some(lock) = dir.lock()? {
                let (own, program) = server_program().await?;
                let service = Service::start(&dir, lock, &own, program).await?;
                let client = Client::new(Reviewer::load(&dir.reviewer())?)?;
                return Ok(Self { client, service: Some(service) });
            }
            let client = Reviewer::load(&dir.reviewer()).and_then(Client::new);
            match client {
                Ok(client) if client.is_up().await => return Ok(Self { client, service: None }),
                Err(failure) if began.elapsed() > PATIENCE => return Err(failure),
                Ok(_) if began.elapsed() > PATIENCE => {
                    let text = format!("the trial in {} runs but its service does not answer", state.display());
                    return Err(Failure::Unavailable(text));
                }
                Ok(_) | Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Reaches a service that must run already: to decide, something must wait.
    pub async fn to_decide(at: &Where) -> Result<Self, Failure> {
        if let Some(state) = &at.state {
            let dir = StateDir::open(state)?;
            if dir.has_service() && dir.lock()?.is_some() {
                let text = format!("nothing waits: no `countersign try --state {}` is running", state.display());
                return Err(Failure::NotFound(text));
            }
        }
        Self::open(at).await
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Ends what was started.
    pub async fn close(self) {
        if let Some(service) = self.service {
            service.end().await;
        }
    }

    fn by_file(path: &Path) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(Reviewer::load(path)?)?, service: None })
    }
}
