//! The entry that says what is taken out, and the administrators who say so.

use super::{Ledger, unavailable};
use crate::config::Settings;
use crate::drafts;
use crate::error::HostError;
use countersign_core::b64_encode;
use countersign_ledger::{Admins, Draft, Kind, Openings, REMOVAL_NAMESPACE, SshSignature, Value, removal_statement};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Most bytes of a file of signatures or keys.
const MAX_FILE: u64 = 64 * 1024;
/// How a signature of `ssh-keygen` begins.
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";

/// Why something is taken out, and who says so.
pub(crate) struct Declared {
    /// Stands in the ledger.
    pub(crate) reason: String,
    /// Where to write what administrators sign; nothing is changed then.
    pub(crate) statement: Option<PathBuf>,
    /// Their signatures.
    pub(crate) signatures: Vec<PathBuf>,
    /// Their keys, and how many must sign, where the configuration names none.
    pub(crate) admins: Option<(PathBuf, usize)>,
}

impl Declared {
    /// Writes the entry, between a start and a stop of ours: its seq. `None`
    /// where only the statement was to be written.
    pub(super) fn write(
        &self,
        ledger: &Ledger,
        settings: &Settings,
        kind: Kind,
        body: Value,
    ) -> Result<Option<u64>, HostError> {
        let unfit = |why: &dyn std::fmt::Display| HostError::Config(format!("this cannot be recorded: {why}"));
        if self.reason.trim().is_empty() {
            return Err(unfit(&"--reason is empty"));
        }
        let host = ledger.identity.host.to_string();
        let text = removal_statement(kind, &host, &body).map_err(|why| unfit(&why))?;
        if let Some(path) = &self.statement {
            self.note_torn(ledger)?;
            write_new(path, &text).map_err(|why| HostError::config("write", path, why))?;
            return Ok(None);
        }
        let sigs = self.sigs()?;
        if let Some(admins) = self.administrators(settings)? {
            let given: Vec<&str> = sigs.iter().map(String::as_str).collect();
            if !admins.have_signed(REMOVAL_NAMESPACE, text.as_bytes(), &given) {
                return Err(HostError::Config(format!(
                    "not enough administrators have signed this. Run it with --statement FILE, have them run `ssh-keygen -Y sign -n {REMOVAL_NAMESPACE} -f KEY FILE`, and run it again with --signature FILE.sig"
                )));
            }
        }
        let mut body = body;
        if let (Value::Object(members), false) = (&mut body, sigs.is_empty()) {
            let sigs: Vec<Value> = sigs.into_iter().map(Value::from).collect();
            members.insert("sigs".to_owned(), sigs.into());
        }
        let entry = Draft { kind, login: None, body, vals: Openings::new() };
        let drafts = vec![self.started(ledger), entry, drafts::host_stopped()];
        let written = ledger.committer.append_wait(drafts).map_err(unavailable)?;
        // The last is host_stopped.
        let seq = written.iter().rev().nth(1).map(|entry| entry.seq);
        seq.map(Some).ok_or_else(|| unavailable("the ledger has not written it"))
    }

    /// What recovery cut off is recorded by whoever opened the ledger.
    fn note_torn(&self, ledger: &Ledger) -> Result<(), HostError> {
        if ledger.recovered.torn.is_none() {
            return Ok(());
        }
        let drafts = vec![self.started(ledger), drafts::host_stopped()];
        ledger.committer.append_wait(drafts).map(drop).map_err(unavailable)
    }

    fn started(&self, ledger: &Ledger) -> Draft {
        let torn = ledger.recovered.torn.as_ref().map(|torn| (torn.bytes, torn.digest));
        drafts::host_started(ledger.identity.signer_word(), torn, None)
    }

    /// Whose signatures are demanded: of those that the configuration names,
    /// or that are given.
    fn administrators(&self, settings: &Settings) -> Result<Option<Admins>, HostError> {
        if let Some(places) = &settings.authority {
            return places.administrators().map(Some).map_err(HostError::Config);
        }
        let Some((path, needed)) = &self.admins else { return Ok(None) };
        let admins = Admins::parse(&read(path)?, *needed);
        admins.map(Some).map_err(|why| HostError::config("use", path, why))
    }

    /// The signatures that are given, binary, base64url.
    fn sigs(&self) -> Result<Vec<String>, HostError> {
        let mut sigs = Vec::new();
        for path in &self.signatures {
            let text = read(path)?;
            let armored: Vec<&str> = text.split(BEGIN).skip(1).collect();
            if armored.is_empty() {
                return Err(HostError::config("use", path, "there is no signature of ssh-keygen in it"));
            }
            for rest in armored {
                let armored = format!("{BEGIN}{rest}");
                SshSignature::from_armor(&armored).map_err(|why| HostError::config("use", path, why))?;
                let blob = SshSignature::armor_to_blob(&armored);
                sigs.push(b64_encode(&blob.map_err(|why| HostError::config("use", path, why))?));
            }
        }
        Ok(sigs)
    }
}

fn read(path: &Path) -> Result<String, HostError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map(|_| text).map_err(|why| HostError::config("read", path, why))
}

/// Exactly these bytes: they are signed.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
