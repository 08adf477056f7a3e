//! Which server of a Cluster keeps a key: the slot of a key, and the map of slots.

use redis::Value;

use super::address::Host;

/// How many slots a Cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// The map of slots to servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SlotMap(Vec<(u16, u16, Host)>);

/// The slot of a key: CRC-16 (XMODEM) of what stands in its first pair of braces, or of all of it. As in the Redis Cluster specification.
pub(super) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let length = rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0)?;
        rest.get(..length)
    });
    let mut crc: u16 = 0;
    for byte in tag.unwrap_or(key) {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
    }
    crc % SLOTS
}

// === impl SlotMap ===

impl SlotMap {
    /// Reads the answer of CLUSTER SLOTS, which `asked` gave. None where it makes no sense or covers nothing.
    pub(super) fn read(answer: &Value, asked: &Host) -> Option<Self> {
        let Value::Array(ranges) = answer else { return None };
        let mut map = Vec::with_capacity(ranges.len());
        for range in ranges {
            let Value::Array(fields) = range else { return None };
            let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = fields.as_slice() else { return None };
            let [name, Value::Int(port), ..] = primary.as_slice() else { return None };
            let name = match name {
                Value::BulkString(name) if !name.is_empty() && name != b"?" => String::from_utf8(name.clone()).ok()?,
                // It does not know its own name: the one that it was asked by will do.
                _ => asked.name.clone(),
            };
            map.push((u16::try_from(*first).ok()?, u16::try_from(*last).ok()?, Host { name, port: u16::try_from(*port).ok()? }));
        }
        // In one order, so that two maps that say the same are the same.
        map.sort();
        (!map.is_empty()).then_some(Self(map))
    }

    /// Who keeps a slot.
    pub(super) fn host(&self, slot: u16) -> Option<&Host> {
        self.0.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, host)| host)
    }

    /// Somebody said who keeps this slot now.
    pub(super) fn moved(&mut self, slot: u16, host: Host) {
        self.0.insert(0, (slot, slot, host));
    }

    /// Everyone who keeps anything.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.0.iter().map(|(_, _, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CLUSTER KEYSLOT` of Redis 7.0 said so.
    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(slot(b"123456789"), 12_739);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"sg:{default}:account"), slot(b"default"));
        assert_eq!(slot(b"{}x"), slot(b"{}x"));
        assert_ne!(slot(b"{}x"), slot(b""));
        assert_eq!(slot(b"a{b}{c}"), slot(b"b"));
    }

    #[test]
    fn the_map_is_read_and_corrected() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |name: &str, port| Value::Array(vec![text(name), Value::Int(port), text("id")]);
        let answer = Value::Array(vec![
            Value::Array(vec![Value::Int(0), Value::Int(99), node("a", 1), node("b", 2)]),
            Value::Array(vec![Value::Int(100), Value::Int(16_383), node("", 3)]),
        ]);
        let mut map = SlotMap::read(&answer, &Host { name: "asked".into(), port: 9 }).unwrap();
        assert_eq!(map.host(5).unwrap().to_string(), "a:1");
        assert_eq!(map.host(12_000).unwrap().to_string(), "asked:3");
        map.moved(5, Host { name: "c".into(), port: 4 });
        assert_eq!((map.host(5).unwrap().to_string(), map.host(6).unwrap().to_string()), ("c:4".into(), "a:1".into()));
        assert_eq!(SlotMap::read(&Value::Array(vec![]), &Host { name: "x".into(), port: 1 }), None);
        assert_eq!(SlotMap::read(&Value::Okay, &Host { name: "x".into(), port: 1 }), None);
    }
}
