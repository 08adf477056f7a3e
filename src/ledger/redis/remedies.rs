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
    } else if says(&["unknown command 'SENTINEL'", "unknown command `SENTINEL`"]) {
        "It is a server, not a Sentinel. Write \"redis://\" or \"redis+cluster://\" in SPENDGATE_STORE, or the addresses of the Sentinels"
    } else if says(&[UNKNOWN_NAME]) {
        "Write the name that stands in the Sentinels' \"sentinel monitor\" line"
    } else {
        return None;
    };
    Some(fixed.to_owned())
}

/// How a failure of a Sentinel is told from one of a server.
pub(super) const SENTINEL: &str = "the Sentinel ";
/// What a Sentinel's answer to a wrong name comes to.
pub(super) const UNKNOWN_NAME: &str = "watches no primary of the name";
