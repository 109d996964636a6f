//! What bytes stand for in an alphabet of digits.

/// Set in what [`table`] gives for a byte that is no digit.
pub(crate) const NO_DIGIT: u8 = 0x80;

/// The value of each byte: its place among at most 128 digits, or [`NO_DIGIT`].
pub(crate) const fn table(digits: &[u8]) -> [u8; 256] {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0u8;
    let mut rest = digits;
    while let [digit, after @ ..] = rest {
        let (_, from) = table.split_at_mut(*digit as usize);
        if let [slot, ..] = from {
            *slot = value;
        }
        value += 1;
        rest = after;
    }
    table
}
