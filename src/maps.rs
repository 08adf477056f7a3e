//! Hash tables of the road: with a hash that is cheap for short keys. Its seed is drawn at the start, and no client sees what becomes of it.

/// A table by key.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// A table of keys.
pub type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
