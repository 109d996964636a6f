//! `proof.json` of a history that does not hold all its entries: the tree
//! hashes that stand for those left out.
//!
//! Entries `from` up to and without `to` are covered by the largest complete
//! subtrees of RFC 6962 that fit between, in order. They prove nothing by
//! themselves; a cosigned root over the whole does.

use crate::scan::{BadLine, Scanner};
use crate::tlog::{Subtree, node_hash};
use crate::value::{Value, body};
use countersign_core::Digest;
use std::collections::BTreeMap;

const FORMAT: &str = "cs-proof1";
/// The name of the file with entries between which others are left out.
pub(crate) const KEPT: &str = "kept";
/// The name of the file with the hashes that stand for those.
pub(crate) const PROOF: &str = "proof.json";
/// Most hashes of one gap: two of each size.
const MOST_HASHES: usize = 2 * 64;
/// Longest `proof.json`, in bytes.
pub const MAX_PROOF_BYTES: u64 = 64 * 1024 * 1024;

/// Not a `proof.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGaps {
    /// Outside the grammar.
    #[error("proof.json is malformed {0}")]
    Grammar(#[from] BadLine),
    /// A member is missing, unknown or not of its form, or gaps overlap.
    #[error("proof.json: {0}")]
    Content(&'static str),
}

/// Runs of entries that are left out, by their first seq.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps(BTreeMap<u64, Gap>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    to: u64,
    hashes: Vec<Digest>,
}

impl Gaps {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the first begins and the last ends.
    pub fn span(&self) -> Option<(u64, u64)> {
        let (from, _) = self.0.first_key_value()?;
        let (_, last) = self.0.last_key_value()?;
        Some((*from, last.to))
    }

    /// Adds gaps that come after these.
    pub fn append(&mut self, mut later: Self) -> Result<(), BadGaps> {
        if let (Some((_, end)), Some((from, _))) = (self.span(), later.span())
            && from < end
        {
            return Err(BadGaps::Content("gaps overlap or are out of order"));
        }
        self.0.append(&mut later.0);
        Ok(())
    }

    /// Reads a `proof.json`. Each gap is kept as it is read, and no tree is made
    /// of the whole: that would take ten times as much as a text of 64 MiB.
    pub fn parse(text: &[u8]) -> Result<Self, BadGaps> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut s = Scanner::new(text);
        s.literal("{\"fmt\":\"cs-proof1\",\"gaps\":[")?;
        let (mut gaps, mut end) = (Self::default(), 0);
        while !s.skip("]") {
            if end > 0 {
                s.literal(",")?;
            }
            let (from, gap) = read_gap(&mut s)?;
            if from < end {
                return Err(BadGaps::Content("gaps overlap or are out of order"));
            }
            end = gap.to;
            gaps.0.insert(from, gap);
        }
        s.literal("}")?;
        s.end()?;
        Ok(gaps)
    }

    /// The text of a `proof.json`, with its newline.
    pub fn encode(&self) -> Result<String, crate::BadValue> {
        let gaps = self.0.iter().map(|(from, gap)| {
            let hashes = gap.hashes.iter().copied().map(Value::from).collect::<Vec<_>>();
            body([("from", (*from).into()), ("hashes", hashes.into()), ("to", gap.to.into())])
        });
        let gaps = gaps.collect::<Vec<_>>();
        Ok(body([("fmt", FORMAT.into()), ("gaps", gaps.into())]).encode()? + "\n")
    }

    /// The subtrees that stand for the entries `from` up to and without `to`,
    /// where this has them all.
    pub fn bridge(&self, from: u64, to: u64) -> Option<Vec<Subtree>> {
        let (mut at, mut found) = (from, Vec::new());
        while at < to {
            let gap = self.0.get(&at).filter(|gap| gap.to <= to)?;
            found.extend(
                levels(at, gap.to).into_iter().zip(&gap.hashes).map(|(level, hash)| Subtree::new(level, *hash)),
            );
            at = gap.to;
        }
        Some(found)
    }
}

fn read_gap(s: &mut Scanner<'_>) -> Result<(u64, Gap), BadGaps> {
    s.literal("{\"from\":")?;
    let from = s.integer()?;
    s.literal(",\"hashes\":[")?;
    let mut hashes: Vec<Digest> = Vec::new();
    while !s.skip("]") {
        if !hashes.is_empty() {
            s.literal(",")?;
        }
        let hash = s.sized(43, |text| text.parse().ok());
        hashes.push(hash.ok_or(BadGaps::Content("a hash is not 43 characters"))?);
        if hashes.len() > MOST_HASHES {
            return Err(BadGaps::Content("more hashes than any gap has"));
        }
    }
    s.literal(",\"to\":")?;
    let to = s.integer()?;
    s.literal("}")?;
    if from >= to || hashes.len() != levels(from, to).len() {
        return Err(BadGaps::Content("a gap is not from, hashes, to"));
    }
    hashes.shrink_to_fit();
    Ok((from, Gap { to, hashes }))
}

/// Levels of the largest complete subtrees that cover `from` up to and without `to`.
fn levels(from: u64, to: u64) -> Vec<u32> {
    let (mut at, mut found) = (from, Vec::new());
    while let Some(left) = to.checked_sub(at).filter(|left| *left > 0) {
        let level = at.trailing_zeros().min(left.ilog2());
        found.push(level);
        at = at.saturating_add(1u64.checked_shl(level).unwrap_or(left));
    }
    found
}

/// Makes [`Gaps`] from the entries that are left out, in order.
#[derive(Debug, Default)]
pub struct GapsMaker {
    gaps: Gaps,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    from: u64,
    to: u64,
    /// Complete subtrees so far: level and hash, as `levels` has them.
    stack: Vec<(u32, Digest)>,
}

impl GapsMaker {
    /// Leaves an entry out.
    pub fn leave_out(&mut self, seq: u64, leaf: Digest) {
        self.leave_out_all(seq, &Subtree::new(0, leaf));
    }

    /// Leaves out what a subtree stands for, whose first entry is `seq`.
    pub fn leave_out_all(&mut self, seq: u64, subtree: &Subtree) {
        if self.open.as_ref().is_some_and(|open| open.to != seq) {
            self.end();
        }
        let open = self.open.get_or_insert_with(|| Open { from: seq, to: seq, stack: Vec::new() });
        let (mut level, mut hash) = (subtree.level(), subtree.hash());
        open.to = seq.saturating_add(subtree.leaves());
        // Two of a size make one, where the left one begins where such a one may.
        while let Some((below, left)) = open.stack.last().copied().filter(|(below, _)| *below == level) {
            let begins = open.to.saturating_sub(1u64.checked_shl(below.saturating_add(1)).unwrap_or(u64::MAX));
            if begins < open.from || begins.trailing_zeros() <= below {
                break;
            }
            open.stack.pop();
            (level, hash) = (level.saturating_add(1), node_hash(&left, &hash));
        }
        open.stack.push((level, hash));
    }

    /// A gap ends here, whatever follows: a root must be known here.
    pub fn end(&mut self) {
        if let Some(open) = self.open.take() {
            let hashes = open.stack.into_iter().map(|(_, hash)| hash).collect();
            self.gaps.0.insert(open.from, Gap { to: open.to, hashes });
        }
    }

    /// All of them.
    pub fn finish(mut self) -> Gaps {
        self.end();
        self.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Frontier, root_of};

    #[test]
    fn a_bridged_tree_has_the_same_root() {
        let leaves: Vec<_> = (0..70u8).map(|n| Digest([n; 32])).collect();
        for from in 0..70u64 {
            for to in from + 1..=70 {
                let mut maker = GapsMaker::default();
                for seq in from..to {
                    maker.leave_out(seq, leaves[usize::try_from(seq).unwrap()]);
                }
                let text = maker.finish().encode().unwrap();
                let gaps = Gaps::parse(text.as_bytes()).unwrap();
                let mut tree = Frontier::default();
                let (first, last) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
                leaves[..first].iter().for_each(|leaf| tree.push(*leaf));
                for subtree in gaps.bridge(from, to).unwrap() {
                    assert!(tree.push_subtree(&subtree));
                }
                leaves[last..].iter().for_each(|leaf| tree.push(*leaf));
                assert_eq!((tree.size(), tree.root()), (70, root_of(&leaves)), "{from} {to}");
                assert_eq!(gaps.bridge(from, to + 1), None);
            }
        }
    }

    #[test]
    fn gaps_are_put_together_in_order_only() {
        let gap = |from: u64, to| {
            let mut maker = GapsMaker::default();
            (from..to).for_each(|seq| maker.leave_out(seq, Digest([7; 32])));
            maker.finish()
        };
        let mut gaps = Gaps::default();
        assert_eq!(gaps.span(), None);
        gaps.append(gap(2, 5)).unwrap();
        gaps.append(gap(5, 9)).unwrap();
        gaps.append(Gaps::default()).unwrap();
        assert!(gaps.append(gap(8, 10)).is_err() && gaps.append(gap(0, 1)).is_err());
        assert_eq!((gaps.span(), gaps.bridge(2, 9).map(|all| all.len())), (Some((2, 9)), Some(5)));
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let hash = Digest([1; 32]);
        let good = format!("{{\"fmt\":\"cs-proof1\",\"gaps\":[{{\"from\":3,\"hashes\":[\"{hash}\"],\"to\":4}}]}}\n");
        assert!(Gaps::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"to\":4", "\"to\":5"),
            ("\"to\":4", "\"to\":3"),
            ("\"from\":3", "\"from\":1"),
            ("cs-proof1", "cs-proof2"),
            ("\"fmt\"", "\"fmx\""),
            ("}]", "},{\"from\":3,\"hashes\":[],\"to\":4}]"),
            ("\"hashes\":[\"", "\"hashes\":[\"A"),
            (",\"to\"", ",\"too\":1,\"to\""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Gaps::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
