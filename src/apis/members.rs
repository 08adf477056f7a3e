//! Finds members at the top of a JSON object that comes in chunks, without keeping the rest: `usage` stands behind megabytes of
//! embeddings.

use memchr::memchr2;

/// A member's key and value are kept up to this many bytes each: a longer one is not one of those looked for.
const MAX_KEPT: usize = 16 << 10;

/// Reads the object.
pub(super) struct TopMembers {
    wanted: &'static [&'static str],
    found: Vec<(&'static str, Vec<u8>)>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// At the top: a key is read, not a value.
    at_key: bool,
    key: Vec<u8>,
    /// The value of a wanted member is being kept.
    keeping: Option<(&'static str, Vec<u8>)>,
    /// Bytes of strings below the top members.
    nested_text: u64,
    /// Objects directly in the top member `data`.
    data_objects: u64,
    closed: bool,
}

// === impl TopMembers ===

impl TopMembers {
    pub(super) fn new(wanted: &'static [&'static str]) -> Self {
        Self {
            wanted,
            found: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            at_key: false,
            key: Vec::new(),
            keeping: None,
            nested_text: 0,
            data_objects: 0,
            closed: false,
        }
    }

    /// The value of a member, as it is written. Where it appeared twice, the last one.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.found.iter().rev().find(|(found, _)| *found == name).map(|(_, value)| value.as_slice())
    }

    /// The object has been closed.
    pub(super) fn closed(&self) -> bool {
        self.closed
    }

    /// How many bytes the strings have that stand deeper than the object's own members.
    pub(super) fn nested_text(&self) -> u64 {
        self.nested_text
    }

    /// How many objects stand in the list `data` at the top.
    pub(super) fn data_objects(&self) -> u64 {
        self.data_objects
    }

    /// Reads on.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.in_string && !self.escaped {
                // Strings are most of an answer: jump to their end.
                let rest = chunk.get(at..).unwrap_or_default();
                let plain = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                if plain > 0 {
                    self.string_bytes(rest.get(..plain).unwrap_or_default());
                    at += plain;
                    continue;
                }
            }
            self.byte(byte);
            at += 1;
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.in_string {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !ends;
            if ends {
                self.keep(b"\"");
            } else {
                self.string_bytes(&[byte]);
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 && self.at_key {
                    self.key.clear();
                }
                self.keep(b"\"");
            }
            b'{' | b'[' => {
                self.keep(&[byte]);
                self.data_objects += u64::from(self.depth == 2 && byte == b'{' && self.key == b"data");
                self.depth = self.depth.saturating_add(1);
                self.at_key |= self.depth == 1 && byte == b'{';
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.finish_member();
                    self.closed = true;
                } else {
                    self.keep(&[byte]);
                }
            }
            b':' if self.depth == 1 && self.at_key => {
                self.at_key = false;
                let wanted = self.wanted.iter().find(|name| name.as_bytes() == self.key);
                self.keeping = wanted.map(|name| (*name, Vec::new()));
            }
            b',' if self.depth == 1 => {
                self.finish_member();
                self.at_key = true;
            }
            _ => self.keep(&[byte]),
        }
    }

    fn string_bytes(&mut self, bytes: &[u8]) {
        if self.depth > 2 {
            self.nested_text = self.nested_text.saturating_add(bytes.len() as u64);
        }
        if self.depth == 1 && self.at_key {
            if self.key.len() < MAX_KEPT {
                self.key.extend_from_slice(bytes);
            }
        } else {
            self.keep(bytes);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let too_long = match &mut self.keeping {
            Some((_, value)) => {
                value.extend_from_slice(bytes);
                value.len() > MAX_KEPT
            }
            None => false,
        };
        if too_long {
            self.keeping = None;
        }
    }

    fn finish_member(&mut self) {
        self.found.extend(self.keeping.take());
    }
}
