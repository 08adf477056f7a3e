//! Numbers in bytes.

/// Big-endian, one to eight bytes.
pub(in crate::apis) fn big(data: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(data.get(at..at.checked_add(length)?)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Little-endian, one to eight bytes.
pub(in crate::apis) fn little(data: &[u8], at: usize, length: usize) -> Option<u64> {
    Some(data.get(at..at.checked_add(length)?)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// Bytes that come in pieces, for a reader that wants to see a few of them together.
#[derive(Debug, Default)]
pub(in crate::apis) struct Pieces {
    carry: Vec<u8>,
    /// Bytes that nobody wants to see.
    skip: u64,
}

// === impl Pieces ===

impl Pieces {
    /// Hands `read` what is there, again and again: it answers how far to go on, which may be beyond it, or None when it wants to see more.
    pub(in crate::apis) fn feed(&mut self, piece: &[u8], mut read: impl FnMut(&[u8]) -> Option<u64>) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= skipped as u64;
        let piece = piece.get(skipped..).unwrap_or_default();
        let joined;
        let mut rest = piece;
        if !self.carry.is_empty() {
            self.carry.extend_from_slice(piece);
            joined = std::mem::take(&mut self.carry);
            rest = &joined;
        }
        while !rest.is_empty() {
            let Some(step) = read(rest) else { break };
            let taken = usize::try_from(step).unwrap_or(usize::MAX).min(rest.len());
            self.skip = step - taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.carry = rest.to_vec();
    }
}
