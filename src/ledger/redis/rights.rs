//! What the ledger's user must be allowed to do on a server, no more: told to whoever sets it up, and looked at when a gateway starts, so that no request
//! is the first to meet a right that is missing.

use super::address::{RedisAddress, Topology};

/// Says which commands a user may not run. Looks only: nothing of them is run.
pub(super) const SCRIPT: &str = include_str!("scripts/rights.lua");
/// The keys of the ledger, as a user is given them.
const KEYS: &str = "~sg:*";
/// What every gateway and every command of the ledger runs, the scripts included.
const ALWAYS: [&str; 28] = [
    "info",
    "eval",
    "evalsha",
    "multi",
    "exec",
    "time",
    "get",
    "set",
    "del",
    "unlink",
    "hget",
    "hset",
    "hsetnx",
    "hdel",
    "hexists",
    "hincrby",
    "hkeys",
    "hmget",
    "hgetall",
    "hscan",
    "lrange",
    "ltrim",
    "rpush",
    "zadd",
    "zrem",
    "zscore",
    "zrangebyscore",
    "zremrangebyscore",
];

/// The commands that a user needs on the servers of an address, in the words of an access rule.
pub(super) fn needed(address: &RedisAddress, replicas: u32) -> Vec<&'static str> {
    let mut commands = ALWAYS.to_vec();
    if address.database != 0 {
        commands.push("select");
    }
    if address.topology == Topology::Cluster {
        commands.extend(["cluster|slots", "asking"]);
    }
    if replicas > 0 {
        commands.push("wait");
    }
    commands
}

/// What to do about a right that is missing.
pub(super) fn advice(address: &RedisAddress, commands: &[&str]) -> String {
    let user = address.login.user.as_deref().unwrap_or("default");
    let given: Vec<String> = commands.iter().map(|command| format!("+{command}")).collect();
    format!("Give it its rights: ACL SETUSER {user} {KEYS} {}", given.join(" "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::redis::script::Scripts;

    #[test]
    fn what_the_scripts_call_is_among_the_rights() {
        let sources = Scripts::standard().sources();
        let called: BTreeSet<String> = sources
            .flat_map(|text| ["call('", "write('"].into_iter().flat_map(move |before| text.split(before).skip(1)))
            .filter_map(|rest| rest.split_once('\'').map(|(command, _)| command.to_lowercase()))
            .collect();
        assert!(called.len() > 12, "{called:?}");
        let missing: Vec<&String> = called.iter().filter(|command| !ALWAYS.contains(&command.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
