//! A part of a file that is written through memory: a few bytes cost no system
//! call, and are the file's as soon as they are written, whatever becomes of the
//! process.

use memmap2::{MmapMut, MmapOptions};
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

/// Part of a file, in memory.
#[derive(Debug)]
pub struct Mapped {
    bytes: MmapMut,
    /// Where it begins in the file.
    from: u64,
}

impl Mapped {
    /// The `length` bytes from `from` on of a file that is open for reading and
    /// writing. They are reserved on the disk, so that a full one is an error
    /// here and no signal later, and the file becomes so long. Where this fails
    /// it may be longer than it was.
    ///
    /// Nobody may make the file shorter than that while this lives: the kernel
    /// ends who writes beyond its end (SIGBUS).
    pub fn new(file: &File, from: u64, length: u32) -> io::Result<Self> {
        let at = libc::off_t::try_from(from).map_err(|_| io::ErrorKind::InvalidInput)?;
        let size = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: this is the only reference to it here, and is never read; others only read the file.
        let bytes = unsafe { MmapOptions::new().offset(from).len(size).map_mut(file) }?;
        fallocate(file, FallocateFlags::empty(), at, length.into())?;
        Ok(Self { bytes, from })
    }

    /// Writes `first` and `rest`, one after the other, at `at` in the file; the
    /// very first byte last, so that who finds it there finds all. `false`, and
    /// nothing is written, where that does not lie in this part.
    pub fn put(&mut self, at: u64, first: &[u8], rest: &[u8]) -> bool {
        let begin = at.checked_sub(self.from).and_then(|begin| usize::try_from(begin).ok());
        let place = begin.and_then(|begin| self.bytes.get_mut(begin..)?.get_mut(..first.len() + rest.len()));
        let Some(([mark, place @ ..], (kept, first))) = place.zip(first.split_first()) else { return false };
        let (left, right) = place.split_at_mut(first.len());
        left.copy_from_slice(first);
        right.copy_from_slice(rest);
        // SAFETY: a byte of this part, which nothing else refers to.
        unsafe { AtomicU8::from_ptr(mark) }.store(*kept, Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    fn at(file: &File, from: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, from).unwrap();
        bytes
    }

    #[test]
    fn what_is_put_is_in_the_file() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"before", 4090).unwrap();
        let mut part = Mapped::new(&file, 4096, 4096).unwrap();
        assert!(part.put(4096, b"a", b"") && part.put(4097, b"bc", b"def"));
        assert_eq!(at(&file, 4090, 13), b"beforeabcdef\0");
        assert_eq!(file.metadata().unwrap().len(), 8192);
        assert!(part.put(8188, b"ends", b""));
        drop(part);
        assert_eq!(at(&file, 8187, 5), b"\0ends");
    }

    #[test]
    fn what_does_not_lie_in_it_is_not_put() {
        let file = tempfile::tempfile().unwrap();
        let mut part = Mapped::new(&file, 4096, 4096).unwrap();
        for (place, first, rest) in
            [(4095, "ab", ""), (0, "a", ""), (8191, "a", "b"), (8192, "a", ""), (u64::MAX, "a", ""), (5000, "", "b")]
        {
            assert!(!part.put(place, first.as_bytes(), rest.as_bytes()), "{place}");
        }
        assert!(at(&file, 0, 8192).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn where_it_cannot_be_had_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(Mapped::new(&file, 1, 4096).is_ok_and(|mut part| part.put(1, b"a", b"")), "any place will do");
        assert!(Mapped::new(&file, u64::MAX - 4095, 4096).is_err());
        assert!(Mapped::new(&File::open("/proc/self/exe").unwrap(), 0, 4096).is_err());
    }
}
