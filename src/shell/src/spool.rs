//! The file that a recorder writes ([`countersign_api::spool`]): whole records,
//! one behind the other.
//!
//! A record is one write, or, where records come one by one as where somebody
//! types, goes through memory: that a key is recorded before it is shown then
//! costs no system call. Behind the records of such a part the file has zeros.

use countersign_sys::Mapped;
use nix::sys::uio::pwritev;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

/// Records so far apart, in microseconds, are no flood …
const APART_US: u64 = 1_000;
/// … and after so many of them the file goes on in memory, …
const ONE_BY_ONE: u32 = 16;
/// … for so many bytes, …
const PART: u32 = 64 * 1024;
/// … where the record is no longer than this: one that is costs more than a write.
const SMALL: usize = 4 * 1024;

/// A spool that is written.
#[derive(Debug)]
pub struct Spool {
    file: File,
    /// Bytes in it: whole records.
    length: u64,
    /// Where it goes on, where that is in memory.
    part: Option<Mapped>,
    /// Writes in a row that came one by one, and when the last one came.
    calm: u32,
    last_us: u64,
}

impl Spool {
    /// An empty file, open for reading and writing.
    pub fn new(file: OwnedFd) -> Self {
        Self { file: File::from(file), length: 0, part: None, calm: 0, last_us: 0 }
    }

    /// Bytes in it: whole records.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Room for others on its file system, in bytes.
    pub fn room(&self) -> io::Result<u64> {
        countersign_sys::files::free_bytes_of(&self.file)
    }

    /// Appends a record of these two pieces, at a time in µs. After a failure
    /// nothing may follow; a torn record is cut off.
    pub fn append(&mut self, at_us: u64, first: &[u8], rest: &[u8]) -> io::Result<()> {
        let apart = at_us.saturating_sub(self.last_us) >= APART_US;
        self.last_us = at_us;
        if !self.put(first, rest) {
            let calm = if apart { self.calm.saturating_add(1) } else { 0 };
            self.leave_memory()?;
            self.calm = calm;
            if calm > ONE_BY_ONE && first.len() + rest.len() <= SMALL {
                self.enter_memory()?;
            }
            if !self.put(first, rest) {
                self.write(first, rest)?;
            }
        }
        self.length += u64::try_from(first.len() + rest.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn put(&mut self, first: &[u8], rest: &[u8]) -> bool {
        self.part.as_mut().is_some_and(|part| part.put(self.length, first, rest))
    }

    /// Where that cannot be had it is written as before, which says what is wrong.
    fn enter_memory(&mut self) -> io::Result<()> {
        match Mapped::new(&self.file, self.length, PART) {
            Ok(part) => {
                self.part = Some(part);
                Ok(())
            }
            Err(_) => {
                self.calm = 0;
                self.file.set_len(self.length)
            }
        }
    }

    /// The zeros behind the last record are cut off: what is torn must not look whole.
    fn leave_memory(&mut self) -> io::Result<()> {
        if self.part.take().is_some() { self.file.set_len(self.length) } else { Ok(()) }
    }

    fn write(&mut self, first: &[u8], rest: &[u8]) -> io::Result<()> {
        self.leave_memory()?;
        let offset = i64::try_from(self.length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let error = match pwritev(&self.file, &[IoSlice::new(first), IoSlice::new(rest)], offset) {
            Ok(n) if n == first.len() + rest.len() => return Ok(()),
            Ok(_) => io::Error::from(io::ErrorKind::StorageFull),
            Err(error) => error.into(),
        };
        // Where this fails too, the host leaves the torn record out by itself.
        let (Ok(()) | Err(_)) = self.file.set_len(self.length);
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn spool() -> (Spool, File) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        (Spool::new(file.into()), File::open(path).unwrap())
    }

    /// Appends records of this length, `apart_us` from one to the next; what the file must begin with.
    fn fill(spool: &mut Spool, count: u64, length: usize, apart_us: u64, expected: &mut Vec<u8>) {
        for i in 0..count {
            let (head, data) = (vec![1; 12], vec![u8::try_from(i % 250).unwrap() + 1; length]);
            let at_us = spool.last_us + apart_us;
            spool.append(at_us, &head, &data).unwrap();
            expected.extend([head, data].concat());
        }
        assert_eq!(spool.length(), u64::try_from(expected.len()).unwrap());
    }

    fn check(file: &mut File, expected: &[u8], zeros: bool) {
        let mut found = Vec::new();
        std::io::Seek::rewind(file).unwrap();
        file.read_to_end(&mut found).unwrap();
        let behind = found.split_off(expected.len());
        assert!(found == expected && behind.iter().all(|byte| *byte == 0));
        assert_eq!(!behind.is_empty(), zeros);
    }

    #[test]
    fn records_are_one_behind_the_other_however_they_are_written() {
        let (mut spool, mut file) = spool();
        let mut all = Vec::new();
        fill(&mut spool, 16, 1, 5_000, &mut all);
        check(&mut file, &all, false);
        fill(&mut spool, 100, 1, 5_000, &mut all);
        check(&mut file, &all, true);
        // More than one part, and records that no part has room for.
        fill(&mut spool, 100, 3_000, 5_000, &mut all);
        check(&mut file, &all, true);
        fill(&mut spool, 2, 65_536, 5_000, &mut all);
        check(&mut file, &all, false);
        fill(&mut spool, 40, 5_000, 5_000, &mut all);
        check(&mut file, &all, false);
        fill(&mut spool, 1, 5, 5_000, &mut all);
        check(&mut file, &all, true);
    }

    /// What is there when it begins goes into the part that there is.
    #[test]
    fn a_flood_does_not_go_through_memory() {
        let (mut spool, mut file) = spool();
        let mut all = Vec::new();
        fill(&mut spool, 20, 1, 5_000, &mut all);
        fill(&mut spool, 100, 4_000, 10, &mut all);
        check(&mut file, &all, false);
        assert!(spool.part.is_none());
    }

    /// A host of before hands a file that is for appending only.
    #[test]
    fn a_file_that_cannot_be_read_is_written_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let mut spool = Spool::new(File::options().append(true).create_new(true).open(&path).unwrap().into());
        let mut all = Vec::new();
        fill(&mut spool, 50, 7, 5_000, &mut all);
        check(&mut File::open(path).unwrap(), &all, false);
    }
}
