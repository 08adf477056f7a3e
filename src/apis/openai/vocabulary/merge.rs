//! Byte pair encoding of one piece: of all neighbours, those whose join has the lowest rank are joined first, the leftmost of equals; until no join of two
//! neighbours is a token.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table::Table;

/// What begins here has been joined to what stands before it.
const JOINED: u32 = u32::MAX;

/// Room to work in, kept from piece to piece.
#[derive(Default)]
pub(super) struct Merger {
    /// Where the part that begins here ends, and the next begins.
    ends: Vec<u32>,
    /// Where the part before the one that begins here begins.
    before: Vec<u32>,
    /// Neighbours whose join is a token: its rank, where it would begin and end.
    pairs: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

// === impl Merger ===

impl Merger {
    /// How many tokens the piece has. In a time that grows hardly faster than its length.
    pub(super) fn count(&mut self, piece: &[u8], table: &Table) -> u64 {
        let Ok(length) = u32::try_from(piece.len()) else { return piece.len() as u64 };
        if length <= 1 || table.rank(piece).is_some() {
            return u64::from(length.min(1));
        }
        self.pairs.clear();
        self.ends.clear();
        self.ends.extend(1..=length);
        self.before.clear();
        self.before.extend((0..length).map(|start| start.saturating_sub(1)));
        for start in 0..length - 1 {
            self.consider(start, start + 2, piece, table);
        }
        let mut parts = u64::from(length);
        while let Some(Reverse((_, start, end))) = self.pairs.pop() {
            // One of the two may have been joined to another part since.
            let middle = self.end(start);
            if middle >= length || self.end(middle) != end {
                continue;
            }
            set(&mut self.ends, start, end);
            set(&mut self.ends, middle, JOINED);
            set(&mut self.before, end, start);
            parts -= 1;
            if start > 0 {
                let left = self.before.get(start as usize).copied().unwrap_or_default();
                self.consider(left, end, piece, table);
            }
            if end < length {
                self.consider(start, self.end(end), piece, table);
            }
        }
        parts
    }

    fn consider(&mut self, start: u32, end: u32, piece: &[u8], table: &Table) {
        if let Some(rank) = piece.get(start as usize..end as usize).and_then(|join| table.rank(join)) {
            self.pairs.push(Reverse((rank, start, end)));
        }
    }

    fn end(&self, start: u32) -> u32 {
        self.ends.get(start as usize).copied().unwrap_or(JOINED)
    }
}

fn set(list: &mut [u32], at: u32, value: u32) {
    if let Some(place) = list.get_mut(at as usize) {
        *place = value;
    }
}
