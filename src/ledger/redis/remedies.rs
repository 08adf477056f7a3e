//! Why a server cannot be used, where waiting would not help, and what to do about it: told at once when a gateway starts.

use super::address::RedisAddress;
use super::rights;

/// What to do about a failure; none where it may pass by itself.
pub(super) fn remedy(why: &str, address: &RedisAddress, commands: &[&str]) -> Option<String> {
    let says = |signs: &[&str]| signs.iter().any(|sign| why.contains(sign));
    let of_sentinel = why.contains(SENTINEL);
    let fixed = if says(&["WRONGPASS", "NOAUTH", "AuthenticationFailed"]) {
        if of_sentinel {
            "Check \"sentinel_username\" and \"sentinel_password\" in SPENDGATE_STORE"
        } else {
            "Check the user and the password in SPENDGATE_STORE"
        }
    } else if says(&["NOPERM", "NoPerm", "no permissions"]) {
        if !of_sentinel {
            return Some(rights::advice(address, commands));
        }
        "Give it its right: +sentinel|get-master-addr-by-name"
    } else if says(&["peer certificate"]) {
        "Name the certificates that sign the server's in SPENDGATE_STORE with \"?ca=/path/ca.pem\", and the host as the server's certificate has it"
    } else if says(&["DB index is out of range"]) {
        "Write the number of a database that the server has (its \"databases\" setting; 16 of them, from 0, where that is not set)"
    } else if says(&["cluster support disabled"]) {
        "It belongs to no Cluster. Write \"redis://\" or \"redis+sentinel://\" in SPENDGATE_STORE"
    } else if says(&[IS_SENTINEL]) {
        "Write \"redis+sentinel://\" in SPENDGATE_STORE, and behind the addresses the name that the Sentinels give the primary"
    } else if says(&["unknown command 'SENTINEL'", "unknown command `SENTINEL`"]) {
        "It is a server, not a Sentinel. Write \"redis://\" or \"redis+cluster://\" in SPENDGATE_STORE, or the addresses of the Sentinels"
    } else if says(&[UNKNOWN_NAME]) {
        "Write the name that stands in the Sentinels' \"sentinel monitor\" line"
    } else {
        return None;
    };
    Some(fixed.to_owned())
}

/// What to do about a failure that did not pass within a start's patience.
pub(super) fn hint(why: &str, address: &RedisAddress) -> &'static str {
    if why.contains(IS_REPLICA) {
        "Write the address of its primary in SPENDGATE_STORE, or those of its Sentinels"
    } else if !address.tls && ["reset by peer", "unexpected end of file"].iter().any(|sign| why.contains(sign)) {
        "Write \"rediss\" in place of \"redis\" in SPENDGATE_STORE if it takes TLS alone"
    } else if address.tls {
        "Start it, with TLS, or set SPENDGATE_STORE to another one"
    } else {
        "Start it, or set SPENDGATE_STORE to another one"
    }
}

/// What is said of a server that follows another one.
pub(super) const IS_REPLICA: &str = "is a replica, not a primary";
/// What is said of one that keeps nothing.
pub(super) const IS_SENTINEL: &str = "is a Sentinel, not a server";
/// How a failure of a Sentinel is told from one of a server.
pub(super) const SENTINEL: &str = "the Sentinel ";
/// What a Sentinel's answer to a wrong name comes to.
pub(super) const UNKNOWN_NAME: &str = "watches no primary of the name";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_may_pass_has_no_remedy_and_yet_a_hint() {
        let (plain, tls) = (RedisAddress::parse("redis://store").unwrap(), RedisAddress::parse("rediss://store").unwrap());
        let replica = format!("store:6379 {IS_REPLICA}");
        for (address, why, part) in [
            (&plain, "store:6379: Connection refused (os error 111)", "Start it, or"),
            (&tls, "store:6379: no connection within 1000 ms", "with TLS"),
            (&plain, "store:6379: Connection reset by peer (os error 104)", "\"rediss\""),
            (&plain, replica.as_str(), "its primary"),
            (&plain, "store:6379 is still loading its data", "Start it, or"),
        ] {
            assert_eq!(remedy(why, address, &[]), None, "{why}");
            assert!(hint(why, address).contains(part), "{why}: {}", hint(why, address));
        }
    }
}
