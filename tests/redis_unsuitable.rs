//! Servers that cannot keep a ledger, or not this one: refused at once, with what to do.

use crate::support::redis::{Old, Server};
use crate::support::refused::refuses_store;
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, ports};

/// A server of a Cluster that has no others.
const OF_A_CLUSTER: &str = "cluster-enabled yes\ncluster-port FREE_PORT\ncluster-config-file nodes.conf\n";

/// It must be refused, in these words among others.
async fn refused(store: &str, words: &[&str]) {
    let said = refuses_store(store).await;
    for word in words {
        assert!(said.contains(word), "{store}: {word:?} is missing in: {said}");
    }
    assert!(!said.contains("cannot be reached"), "{store}: it was waited for: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lets_money_vanish_is_refused() {
    let server = Server::with("maxmemory 100mb\nmaxmemory-policy allkeys-lru\n").await;
    let store = format!("redis://{}", server.address());
    let address = server.address().to_string();
    refused(&store, &[&address, "maxmemory-policy allkeys-lru", "money would vanish", "Set \"maxmemory-policy noeviction\""]).await;
    server.command(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]).await;
    refused(&store, &["maxmemory-policy volatile-ttl", "Set \"maxmemory-policy noeviction\""]).await;
    assert_eq!(server.command(&["DBSIZE"]).await.number(), 0, "nothing was written to a server that does not suit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_too_old_is_refused() {
    let old = Old::start().await;
    let address = old.address().to_string();
    refused(&format!("redis://{address}"), &[&address, "is Redis 6.2.", "needs Redis 7.0 or Valkey", "Upgrade the server"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_of_the_ledger_or_what_is_no_ledger_is_refused_and_left_as_it_is() {
    let server = Server::start().await;
    let store = format!("redis://{}", server.address());
    server.command(&["HSET", "sg:meta", "version", "2"]).await;
    refused(&store, &["the ledger has version \"2\"", "this spendgate knows version \"1\"", "run the spendgate that wrote it", "SPENDGATE_STORE"]).await;
    assert_eq!(server.command(&["HGETALL", "sg:meta"]).await.array().len(), 2);
    server.command(&["HSET", "sg:meta", "version", "importing"]).await;
    refused(&store, &["an import into this ledger was begun and did not end", "run \"spendgate import\" again"]).await;
    server.command(&["DEL", "sg:meta"]).await;
    server.command(&["SET", "sg:meta", "somebody else's"]).await;
    refused(&store, &["sg:meta is not a ledger's", "SPENDGATE_STORE"]).await;
    assert_eq!(server.command(&["GET", "sg:meta"]).await.text(), "somebody else's");
    assert_eq!(server.command(&["DBSIZE"]).await.number(), 1, "nothing else was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_belong_together_in_another_way_than_was_said_are_refused() {
    let (single, of_a_cluster) = (Server::start().await, Server::with(OF_A_CLUSTER).await);
    let (alone, member) = (single.address(), of_a_cluster.address());
    refused(&format!("redis+cluster://{alone}"), &["belongs to no Cluster", "Write \"redis://\" or \"redis+sentinel://\""]).await;
    refused(&format!("redis://{member}"), &["belongs to a Cluster", "Write \"redis+cluster://\""]).await;

    // Sentinels: that know another name, that are none, that are taken for a server, that want another login.
    let users = "user watcher on >word resetchannels -@all +sentinel|get-master-addr-by-name\nuser idle on >word resetchannels -@all\n";
    let sentinel = Server::sentinel(&format!("{users}sentinel monitor main 127.0.0.1 {} 1\n", alone.port())).await;
    let watcher = sentinel.address();
    let login = |user: &str, password: &str| format!("redis+sentinel://{watcher}/main?sentinel_username={user}&sentinel_password={password}");
    refused(&format!("redis+sentinel://{watcher}/other"), &["watches no primary of the name \"other\"", "\"sentinel monitor\""]).await;
    refused(&format!("redis+sentinel://{alone}/main"), &["It is a server, not a Sentinel", "Write \"redis://\""]).await;
    refused(&format!("redis://{watcher}"), &["is a Sentinel, not a server", "Write \"redis+sentinel://\""]).await;
    refused(&login("watcher", "wrong"), &["the Sentinel", "Check \"sentinel_username\" and \"sentinel_password\""]).await;
    refused(&login("idle", "word"), &["the Sentinel", "+sentinel|get-master-addr-by-name"]).await;
    assert_eq!(single.command(&["DBSIZE"]).await.number(), 0, "nothing was written to any of them");
    assert_eq!(of_a_cluster.command(&["DBSIZE"]).await.number(), 0);

    // The documented right is all it takes.
    let gateway = Gateway::start(Setup::new(&Routes::at(ports::free()).openai("")).env("SPENDGATE_STORE", &login("watcher", "word"))).await;
    gateway.close().await;
}
