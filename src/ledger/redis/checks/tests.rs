//! Servers that cannot keep a ledger are refused with what to do; those that can pass, with a warning where one is due.

use super::*;

/// What a server that suits says of itself.
const GOOD: &str = "redis_version:7.0.15\r\narch_bits:64\r\nmaxmemory_policy:noeviction\r\ncluster_enabled:0\r\naof_enabled:1\r\nconnected_slaves:0\r\n";

/// What is said to a server at `address` that describes itself as the good one does, but for the changes: the refusal, or the warnings.
fn judged(address: &str, changes: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let mut text = GOOD.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is in what a server says");
        text = text.replace(from, to);
    }
    let address = RedisAddress::parse(address).unwrap();
    let mut warnings = BTreeSet::new();
    match server("store:6379", &Info(text), None, &address, &mut warnings) {
        Ok(()) => Ok(warnings.into_iter().collect()),
        Err(LedgerError::Incompatible(why)) => Err(why),
        Err(other) => panic!("a server that answers is not {other:?}"),
    }
}

#[test]
fn a_server_that_cannot_keep_a_ledger_is_refused_with_what_to_do() {
    let single = "redis://store:6379";
    let cluster = "redis+cluster://store:6379";
    for (address, from, to, advice) in [
        (single, "7.0.15", "6.2.14", "Upgrade the server"),
        (single, "7.0.15", "5.0.7", "Upgrade the server"),
        (single, "redis_version:7.0.15", "other:1", "Upgrade the server"),
        (single, "arch_bits:64", "arch_bits:32", "Use a 64-bit one"),
        (single, "noeviction", "allkeys-lru", "Set \"maxmemory-policy noeviction\""),
        (single, "noeviction", "volatile-ttl", "Set \"maxmemory-policy noeviction\""),
        (single, "cluster_enabled:0", "cluster_enabled:1", "Write \"redis+cluster://\""),
        (cluster, "7.0.15", "7.2.0", "Write \"redis://\" or \"redis+sentinel://\""),
    ] {
        let why = judged(address, &[(from, to)]).expect_err(to);
        assert!(why.starts_with("store:6379 ") && why.contains(advice), "{to}: {why}");
    }
}

#[test]
fn a_server_that_suits_passes_and_is_warned_of_what_it_may_lose() {
    let single = "redis://store:6379";
    let none: Vec<String> = Vec::new();
    assert_eq!(judged(single, &[]), Ok(none.clone()));
    assert_eq!(judged(single, &[("7.0.15", "10.0.0")]), Ok(none.clone()), "versions are numbers, not text");
    assert_eq!(judged("redis+cluster://store:6379", &[("cluster_enabled:0", "cluster_enabled:1")]), Ok(none.clone()));
    let replicas = ("connected_slaves:0", "connected_slaves:1\r\nmin_slaves_good_slaves:1");
    assert_eq!(judged(single, &[replicas]), Ok(none));
    for (from, to, about) in [
        ("aof_enabled:1", "aof_enabled:0", "appendonly yes"),
        ("connected_slaves:0", "connected_slaves:2", "min-replicas-to-write 1"),
        ("maxmemory_policy:noeviction\r\n", "", "maxmemory-policy"),
    ] {
        let warnings = judged(single, &[(from, to)]).unwrap();
        assert!(warnings.len() == 1 && warnings.iter().all(|warning| warning.contains(about)), "{to}: {warnings:?}");
    }
}
