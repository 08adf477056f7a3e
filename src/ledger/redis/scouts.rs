//! One question to all who know which server is the one to ask, at the same time: one that is silent, as those beside a server that is cut off are, keeps
//! nobody waiting for what the others say.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};
use tokio::task::JoinSet;

use super::address::Host;
use super::link::Dialer;

/// The question, and connections to those that are asked.
pub(super) struct Scouts {
    dialer: Dialer,
    question: Cmd,
    timeout: Duration,
    connections: HashMap<Host, MultiplexedConnection>,
}

// === impl Scouts ===

impl Scouts {
    pub(super) fn new(dialer: Dialer, question: Cmd, timeout: Duration) -> Self {
        Self { dialer, question, timeout, connections: HashMap::new() }
    }

    /// What each host answers, or why it does not.
    pub(super) async fn ask<T: FromRedisValue + Send + 'static>(&mut self, hosts: &BTreeSet<Host>) -> Vec<(Host, Result<T, String>)> {
        let mut asked = JoinSet::new();
        for host in hosts {
            let (dialer, question, timeout) = (self.dialer.clone(), self.question.clone(), self.timeout);
            let (host, connection) = (host.clone(), self.connections.remove(host));
            asked.spawn(async move {
                let answer = one::<T>(&dialer, connection, &host, &question, timeout).await;
                (host, answer)
            });
        }
        let mut answers = Vec::with_capacity(hosts.len());
        while let Some(done) = asked.join_next().await {
            match done {
                Ok((host, Ok((answer, connection)))) => {
                    self.connections.insert(host.clone(), connection);
                    answers.push((host, Ok(answer)));
                }
                Ok((host, Err(why))) => answers.push((host, Err(why))),
                // Its task came to nothing: it did not answer.
                Err(_) => {}
            }
        }
        // In one order, so that those that disagree are counted the same way each time.
        answers.sort_by(|(one, _), (other, _)| one.cmp(other));
        answers
    }
}

async fn one<T: FromRedisValue>(
    dialer: &Dialer,
    connection: Option<MultiplexedConnection>,
    host: &Host,
    question: &Cmd,
    timeout: Duration,
) -> Result<(T, MultiplexedConnection), String> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => dialer.connect(host).await.map_err(|error| error.reason().to_owned())?,
    };
    match tokio::time::timeout(timeout, question.query_async(&mut connection)).await {
        Ok(Ok(answer)) => Ok((answer, connection)),
        Ok(Err(error)) => Err(format!("{host}: {error}")),
        Err(_) => Err(format!("{host}: no answer within {} ms", timeout.as_millis())),
    }
}
