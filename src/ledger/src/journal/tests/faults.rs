//! Every call of the writer made to fail, in every way that has a meaning.

use super::super::disk::{Disk, RealDisk, Segment};
use crate::tests::support::*;
use crate::{Committer, Entry, JournalError, Limits, read_lines};
use nix::errno::Errno;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The call fails and does nothing.
    Fails(Errno),
    /// A write puts down so many bytes and then finds the disk full.
    Short(usize),
    /// The call does its work and still reports an error.
    Late(Errno),
}

/// Counts calls; the one of this number gets the fault.
struct Plan {
    calls: usize,
    at: usize,
    fault: Fault,
}

type Shared = Arc<Mutex<Plan>>;

fn due(plan: &Shared) -> Option<Fault> {
    let mut plan = plan.lock().unwrap();
    plan.calls += 1;
    (plan.calls - 1 == plan.at).then_some(plan.fault)
}

struct FaultyDisk(RealDisk, Shared);
struct FaultySegment(Box<dyn Segment>, Shared);

impl Disk for FaultyDisk {
    fn create(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>> {
        let fault = due(&self.1);
        if let Some(Fault::Fails(errno)) = fault {
            return Err(errno.into());
        }
        let file = self.0.create(first_seq)?;
        match fault {
            Some(Fault::Late(errno)) => Err(errno.into()),
            _ => Ok(Box::new(FaultySegment(file, Arc::clone(&self.1)))),
        }
    }

    fn reopen(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>> {
        Ok(Box::new(FaultySegment(self.0.reopen(first_seq)?, Arc::clone(&self.1))))
    }

    fn free_bytes(&mut self) -> io::Result<u64> {
        self.0.free_bytes()
    }
}

impl Segment for FaultySegment {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match due(&self.1) {
            Some(Fault::Fails(errno)) => return Err(errno.into()),
            Some(Fault::Short(length)) => {
                self.0.write_all(&bytes[..length.min(bytes.len())])?;
                return Err(Errno::ENOSPC.into());
            }
            Some(Fault::Late(errno)) => {
                self.0.write_all(bytes)?;
                return Err(errno.into());
            }
            None => {}
        }
        self.0.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        match due(&self.1) {
            Some(Fault::Fails(errno) | Fault::Late(errno)) => Err(errno.into()),
            Some(Fault::Short(_)) | None => self.0.sync_data(),
        }
    }
}

/// Writes until the fault shows; yields the `seq` after the last entry that
/// was promised, and whether there was an error.
fn write_until_fault(dir: &Path, plan: &Shared) -> (u64, bool) {
    let disk = Box::new(FaultyDisk(RealDisk { dir: dir.to_owned() }, Arc::clone(plan)));
    let limits = Limits { reserve_bytes: 0, segment_bytes: 2_500 };
    let (committer, _) =
        Committer::open_on(disk, dir, host(), Box::new(host_signer()), Box::new(FixedClock::new()), limits).unwrap();
    let mut promised = 0;
    for round in 0..8 {
        let drafts = if round == 0 { vec![enrolled(), opened(login(0))] } else { vec![chunk(login(0)), started()] };
        match committer.append_wait(drafts) {
            Ok(written) => promised = written.last().unwrap().seq + 1,
            Err(error) => {
                assert!(matches!(error, JournalError::Io { .. }), "{error}");
                // For ever, and the same for reading: nothing undurable.
                for _ in 0..3 {
                    let later = committer.append_wait(vec![started()]);
                    assert!(matches!(later, Err(JournalError::Stopped(_))), "{later:?}");
                }
                assert_eq!(committer.next_seq(), promised);
                assert_eq!(u64::try_from(committer.read_lines(0, 99, 1 << 20).unwrap().len()).unwrap(), promised);
                return (promised, true);
            }
        }
    }
    (promised, false)
}

#[test]
fn after_any_fault_what_was_promised_is_there_and_chains() {
    let faults = [
        Fault::Fails(Errno::EIO),
        Fault::Fails(Errno::ENOSPC),
        Fault::Late(Errno::EIO),
        Fault::Short(0),
        Fault::Short(1),
        Fault::Short(400),
        Fault::Short(700),
        Fault::Short(usize::MAX),
    ];
    let mut met = 0;
    for fault in faults {
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let plan = Arc::new(Mutex::new(Plan { calls: 0, at, fault }));
            let (promised, failed) = write_until_fault(dir.path(), &plan);
            met += usize::from(failed);
            let (committer, recovered) = open(dir.path());
            assert!(recovered.next_seq >= promised, "{fault:?} at {at}");
            assert_eq!(committer.append_wait(vec![started()]).unwrap()[0].seq, recovered.next_seq);
            drop(committer);
            let lines = read_lines(dir.path(), 0, 99, 1 << 20).unwrap();
            assert_eq!(u64::try_from(lines.len()).unwrap(), recovered.next_seq + 1);
            lines.iter().for_each(|line| assert!(Entry::parse(line.as_bytes()).unwrap().openings().is_ok()));
            if plan.lock().unwrap().calls <= at {
                break;
            }
        }
    }
    assert!(met > 80, "only {met} faults were met");
}
