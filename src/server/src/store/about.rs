//! What is known around a command: context of the line, and of its login who
//! is behind it and what the agent states of itself.

use countersign_api::context::About;

/// The columns, as the tables keep them: JSON, as the host wrote it.
#[derive(Debug, sqlx::FromRow)]
pub struct AboutRow {
    context: String,
    claimed: String,
    claimed_error: Option<String>,
    identity: Option<String>,
}

impl AboutRow {
    /// Reads them. What cannot be read is shown as nothing known: a later host
    /// may write what this version does not know, and no decision rests on it.
    pub fn read(self) -> About {
        About {
            context: serde_json::from_str(&self.context).unwrap_or_default(),
            claimed: serde_json::from_str(&self.claimed).unwrap_or_default(),
            claimed_error: self.claimed_error,
            identity: self.identity.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}
