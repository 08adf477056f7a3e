//! The servers of the Redis tests themselves: a failover that did not happen proves nothing.

use std::time::Duration;

use crate::support::journal::Journal;
use crate::support::redis::{Cluster, Failover, Sentinels, Server, command, replicated, try_command};
use crate::support::soak;

/// A key in the slot of the account of the tests.
const KEY: &str = "sg:{default}:account";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_what_it_acknowledged_and_a_power_cut_loses_the_last_of_it() {
    let mut server = Server::start().await;
    server.command(&["SET", "kept", "1"]).await;
    server.kill9();
    assert!(try_command(server.address(), &["PING"]).await.is_err());
    server.launch().await;
    assert_eq!(server.command(&["GET", "kept"]).await.text(), "1");
    let address = server.address();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        command(address, &["SET", "lost", "1"]).await
    });
    server.lose_power(Duration::from_millis(600)).await;
    late.await.unwrap();
    server.launch().await;
    assert_eq!(server.command(&["EXISTS", "kept"]).await.number(), 1);
    assert_eq!(server.command(&["EXISTS", "lost"]).await.number(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_another_primary() {
    let mut sentinels = Sentinels::start().await;
    // Each kind is met in the storms, too; Sentinels take ten seconds until they see that all is well again.
    let kinds: &[Failover] = if soak() { &[Failover::Kill, Failover::Freeze, Failover::Ask] } else { &[Failover::Freeze] };
    for how in kinds.iter().copied() {
        let before = sentinels.primary().await;
        replicated(before, &["INCR", "count"], "2").await;
        let (old, _, took) = sentinels.fail_over(how).await;
        let after = sentinels.primary().await;
        assert_ne!(before, after);
        eprintln!("{how:?}: another primary after {took:?}");
        sentinels.heal(old, how).await;
    }
    assert_eq!(command(sentinels.primary().await, &["GET", "count"]).await.number(), i64::try_from(kinds.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_fails_over_and_moves_a_slot() {
    let mut cluster = Cluster::start().await;
    for how in [Failover::Kill, Failover::Freeze, Failover::Ask] {
        let before = cluster.primary(KEY).await;
        replicated(before, &["INCR", KEY], "1").await;
        let (old, _, took) = cluster.fail_over(KEY, how).await;
        assert_ne!(before, cluster.primary(KEY).await);
        eprintln!("{how:?}: another primary after {took:?}");
        cluster.heal(old, how).await;
    }
    let before = cluster.primary(KEY).await;
    cluster.migrate(KEY, Duration::from_millis(10)).await;
    let after = cluster.primary(KEY).await;
    assert_ne!(before, after);
    assert_eq!(command(after, &["GET", KEY]).await.number(), 3);
    cluster.healthy().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_read_as_it_is_stored() {
    let server = Server::start().await;
    let identity = r#"{"name":"mine","kind":"api_token"}"#;
    server.command(&["HSET", "sg:{default}:identities", "", "", "1", identity]).await;
    let hold = "01a20bd09f7c74b08bcfb1f560345cf8";
    let entry = |kind: &str, hold: &str, delta: i64, cost: i64| {
        format!(r#"[1700000000000,"{kind}","1","{hold}",{delta},0,{cost},"exact","openai","gpt-4o-mini","text__chat","input=12 output=3","v1"]"#)
    };
    let entries = [r#"[0,"begin"]"#.to_owned(), entry("grant", "", 9_007_199_254_740_991, 0), entry("expire", hold, -50, 50), entry("correct", hold, 20, -20)];
    for entry in &entries {
        server.command(&["RPUSH", "sg:{default}:journal", entry]).await;
    }
    let journal = Journal::of_server(server.address()).await;
    assert_eq!(journal.0.len(), 3);
    assert_eq!((journal.0[0].token.as_str(), journal.0[0].token_delta), ("mine", 9_007_199_254_740_991));
    let charged = &journal.by_hold()[hold];
    assert_eq!((charged.charges, charged.corrections, charged.cost), (1, 1, 30));
}
