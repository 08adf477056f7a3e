//! The tokens of a vocabulary and their ranks: a hash table over the file itself.

/// No rank is as large as this.
const EMPTY: u32 = u32::MAX;
/// An odd number without a pattern in its bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Finds the rank of a token.
pub(super) struct Table {
    tokens: &'static [u8],
    /// Where each token's length stands, by its rank.
    starts: Vec<u32>,
    /// Ranks, at the place that their token's hash says or behind it, each with the rest of that hash: most of what is asked for is no token, and that is
    /// seen at once. At most half of them are taken.
    slots: Vec<Slot>,
    longest: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    mark: u32,
    rank: u32,
}

// === impl Table ===

impl Table {
    /// Reads a file of tokens. None where it is not one.
    pub(super) fn new(tokens: &'static [u8]) -> Option<Self> {
        let (mut starts, mut at, mut longest) = (Vec::new(), 0, 0);
        while let Some(length) = tokens.get(at).map(|length| usize::from(*length)) {
            starts.push(u32::try_from(at).ok()?);
            longest = longest.max(length);
            at += 1 + length;
        }
        let size = (starts.len() * 2).next_power_of_two();
        let mut table = Self { tokens, starts, slots: vec![Slot { mark: 0, rank: EMPTY }; size], longest };
        for rank in 0..u32::try_from(table.starts.len()).ok()? {
            let token = table.token(rank)?;
            let (place, mark) = (table.place(token), hash(token).1);
            *table.slots.get_mut(place)? = Slot { mark, rank };
        }
        (at == tokens.len()).then_some(table)
    }

    /// The rank of a token; none where the bytes are no token.
    pub(super) fn rank(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        self.slots.get(self.place(bytes)).map(|slot| slot.rank).filter(|rank| *rank != EMPTY)
    }

    /// The token of a rank.
    pub(super) fn token(&self, rank: u32) -> Option<&'static [u8]> {
        let start = *self.starts.get(usize::try_from(rank).ok()?)? as usize;
        let length = usize::from(*self.tokens.get(start)?);
        self.tokens.get(start + 1..start + 1 + length)
    }

    /// The slot of a token: the one that has it, or the empty one where it would be.
    fn place(&self, bytes: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let (hash, mark) = hash(bytes);
        let mut place = hash & mask;
        loop {
            match self.slots.get(place) {
                Some(slot) if slot.rank != EMPTY && (slot.mark != mark || self.token(slot.rank) != Some(bytes)) => place = (place + 1) & mask,
                _ => return place,
            }
        }
    }
}

/// Two parts of a hash.
#[allow(clippy::cast_possible_truncation, reason = "each takes the bits that it has room for")]
fn hash(bytes: &[u8]) -> (usize, u32) {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
    }
    // The upper half is the better mixed.
    ((hash >> 32) as usize, hash as u32)
}
