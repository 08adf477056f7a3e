//! The invariants, from nothing but the keys as they are.

use std::collections::HashMap;

use redis::FromRedisValue;

use super::runner::Single;
use crate::ledger::redis::codec::{hold_id, label};
use crate::ledger::redis::keys;
use crate::ledger::redis::records::{Figures, Identity};

/// A hold as it is stored.
struct Hold {
    token: String,
    amount: i64,
    on_token: bool,
    on_account: bool,
    lease_end: i64,
}

/// All that is stored of an account, without the members that keep each key from being empty.
struct Raw {
    account: HashMap<String, String>,
    identities: HashMap<String, Identity>,
    figures: HashMap<String, Figures>,
    names: HashMap<String, String>,
    live: HashMap<String, i64>,
    holds: HashMap<String, Hold>,
    leases: HashMap<String, i64>,
    tombstones: HashMap<String, String>,
    tombstone_ends: HashMap<String, i64>,
    journal: Vec<Entry>,
    checkpoints: HashMap<String, (i64, i64)>,
    /// The sums of the daily usage of each token.
    usage: HashMap<String, i64>,
}

type Entry = (i64, String, String, String, i64, i64, i64, String, String, String, String, String, String);

async fn ask<T: FromRedisValue>(runner: &Single, command: &str, account: &str, part: &str, rest: &[&str]) -> T {
    redis::cmd(command).arg(runner.key(account, part)).arg(rest).query_async(&mut runner.connection()).await.unwrap()
}

async fn hash(runner: &Single, account: &str, part: &str) -> HashMap<String, String> {
    let mut hash: HashMap<String, String> = ask(runner, "HGETALL", account, part, &[]).await;
    assert!(hash.remove("").is_some(), "{part} has lost the member that keeps it");
    hash
}

async fn sorted(runner: &Single, account: &str, part: &str) -> HashMap<String, i64> {
    let mut members: HashMap<String, String> = ask(runner, "ZRANGE", account, part, &["0", "-1", "WITHSCORES"]).await;
    assert_eq!(members.remove("").as_deref(), Some("inf"), "{part} has lost the member that keeps it");
    members.into_iter().map(|(member, score)| (member, score.parse().unwrap())).collect()
}

impl Raw {
    async fn read(runner: &Single, account: &str) -> Self {
        let mut journal = Vec::new();
        for text in ask::<Vec<String>>(runner, "LRANGE", account, "journal", &["0", "-1"]).await {
            if text != r#"[0,"begin"]"# {
                journal.push(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")));
            }
        }
        let hold = |text: String| {
            let words: Vec<&str> = text.splitn(6, ' ').collect();
            assert!(label(words[5]).is_some());
            Hold {
                token: words[0].into(),
                amount: words[1].parse().unwrap(),
                on_token: words[2] == "1",
                on_account: words[3] == "1",
                lease_end: words[4].parse().unwrap(),
            }
        };
        let checkpoint = |text: String| {
            let (balance, cost) = text.split_once(' ').unwrap_or((&text, "0"));
            (balance.parse().unwrap(), cost.parse().unwrap())
        };
        let mut usage: HashMap<String, i64> = HashMap::new();
        for (key, row) in hash(runner, account, "usage").await {
            let (day, token, _, _, _): (String, String, String, String, String) = serde_json::from_str(&key).unwrap();
            let words: Vec<i64> = row.split(' ').take(3).map(|word| word.parse().unwrap()).collect();
            assert!(day.parse::<jiff::civil::Date>().is_ok());
            assert!(words[0] > 0 && words[1] >= 0 && (0..=words[0]).contains(&words[2]), "{day}: a correction takes away no more than what was there: {row}");
            *usage.entry(token).or_default() += words[1];
        }
        Self {
            account: hash(runner, account, "account").await,
            identities: hash(runner, account, "identities").await.into_iter().map(|(id, text)| (id, Identity::read(&text).unwrap())).collect(),
            figures: hash(runner, account, "figures").await.into_iter().map(|(id, text)| (id, Figures::read(&text).unwrap())).collect(),
            names: hash(runner, account, "names").await,
            live: sorted(runner, account, "live").await,
            holds: hash(runner, account, "holds").await.into_iter().map(|(id, text)| (id, hold(text))).collect(),
            leases: sorted(runner, account, "leases").await,
            tombstones: hash(runner, account, "tombstones").await,
            tombstone_ends: sorted(runner, account, "tombstone_ends").await,
            journal,
            checkpoints: hash(runner, account, "checkpoints").await.into_iter().map(|(field, text)| (field, checkpoint(text))).collect(),
            usage,
        }
    }

    /// I1, and the usage.
    fn money(&self) -> Result<(), String> {
        let differs =
            |what: &str, name: &str, is: i64, should: i64| if is == should { Ok(()) } else { Err(format!("{what} of {name} is {is}, should be {should}")) };
        let checkpoint = |field: &str| self.checkpoints.get(field).copied().unwrap_or_default();
        for (id, figures) in &self.figures {
            let entries = || self.journal.iter().filter(|entry| entry.2 == *id);
            let (balance, cost) = checkpoint(id);
            let spent = figures.spent.nanos();
            differs("balance", id, figures.balance.unwrap_or_default().nanos(), balance + entries().map(|entry| entry.4).sum::<i64>())?;
            differs("spent", id, spent, cost + entries().map(|entry| entry.6).sum::<i64>())?;
            differs("usage", id, self.usage.get(id).copied().unwrap_or(0), spent)?;
            let held = self.holds.values().filter(|hold| hold.token == *id && hold.on_token).map(|hold| hold.amount).sum();
            differs("held", id, figures.held.nanos(), held)?;
        }
        let number = |field: &str| self.account[field].parse::<i64>().unwrap_or(0);
        differs("balance", "the account", number("balance"), checkpoint("account").0 + self.journal.iter().map(|entry| entry.5).sum::<i64>())?;
        differs("held", "the account", number("held"), self.holds.values().filter(|hold| hold.on_account).map(|hold| hold.amount).sum())
    }

    /// I3, as far as the journal reaches back.
    fn endings(&self) -> Result<(), String> {
        let mut ends: HashMap<&str, (u32, u32)> = HashMap::new();
        for entry in self.journal.iter().filter(|entry| !entry.3.is_empty()) {
            let (charged, corrected) = ends.entry(&entry.3).or_default();
            match entry.1.as_str() {
                "charge" | "expire" => *charged += 1,
                // A slice that expired gives way to its requests one by one.
                "correct" if entry.10 == "slice" => {}
                "correct" => *corrected += 1,
                other => return Err(format!("an entry of a hold is a {other}")),
            }
        }
        for (hold, (charged, corrected)) in ends {
            if charged > 1 || corrected > 1 || self.holds.contains_key(hold) {
                return Err(format!("hold {hold} was charged {charged} times and corrected {corrected} times"));
            }
        }
        Ok(())
    }

    /// The indexes say what the records say.
    fn indexes(&self) -> Result<(), String> {
        let same = |what: &str, same: bool| if same { Ok(()) } else { Err(format!("{what} are not what they should be")) };
        let leases: HashMap<_, _> = self.holds.iter().map(|(id, hold)| (id.clone(), hold.lease_end)).collect();
        same("leases", leases == self.leases && self.holds.keys().all(|id| hold_id(id).is_some()))?;
        let ends: HashMap<_, _> = self.tombstones.iter().map(|(id, text)| (id.clone(), text.split(' ').next().unwrap().parse().unwrap())).collect();
        same("tombstone ends", ends == self.tombstone_ends)?;
        let mut names = HashMap::new();
        let mut live = HashMap::new();
        for (id, identity) in self.identities.iter().filter(|(_, identity)| identity.deleted_at.is_none()) {
            names.insert(identity.name.clone(), id.clone());
            names.extend(identity.secrets.iter().map(|secret| (format!("/{}", keys::hex(&secret.hash.0)), id.clone())));
            live.insert(id.clone(), id.parse().unwrap());
        }
        same("names", names == self.names)?;
        same("live tokens", live == self.live && self.figures.len() == self.identities.len())
    }
}

/// Whether everything that is stored of an account fits together.
pub(super) async fn check(runner: &Single, account: &str) -> Result<(), String> {
    let raw = Raw::read(runner, account).await;
    raw.money()?;
    raw.endings()?;
    raw.indexes()
}

/// Leaves nothing of an account.
pub(super) async fn remove(runner: &Single, account: &str) {
    redis::cmd("DEL")
        .arg(&keys::of_account(&runner.account(account)))
        .arg(runner.key(account, keys::SLICES))
        .exec_async(&mut runner.connection())
        .await
        .unwrap();
}
