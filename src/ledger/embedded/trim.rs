//! Old journal entries become sums: a budget's checkpoint plus what is left of the journal is still its balance.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// How many entries one call takes: the road waits meanwhile.
pub(super) const ENTRIES_A_CALL: i64 = 2000;

/// Trims entries from before `cutoff`, oldest first. Returns whether there may be more.
pub(super) fn trim(connection: &mut Connection, cutoff: Timestamp) -> rusqlite::Result<bool> {
    // Entries are in order of time, so the ones to go are a run from the front.
    let last: Option<(i64, i64)> = connection
        .query_row(
            "SELECT max(seq), count(*) FROM (SELECT seq, time_ms FROM journal ORDER BY seq LIMIT ?1) WHERE time_ms < ?2",
            params![ENTRIES_A_CALL, cutoff.as_millisecond()],
            |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)),
        )
        .optional()?
        .flatten();
    let Some((last, count)) = last else { return Ok(false) };
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO token_checkpoints (token_id, balance_nanos, cost_nanos)
         SELECT token_id, sum(token_delta_nanos), sum(cost_nanos) FROM journal WHERE seq <= ?1 AND token_id IS NOT NULL GROUP BY token_id
         ON CONFLICT (token_id) DO UPDATE SET balance_nanos = balance_nanos + excluded.balance_nanos, cost_nanos = cost_nanos + excluded.cost_nanos",
        [last],
    )?;
    transaction.execute(
        "INSERT INTO account_checkpoints (account_id, balance_nanos)
         SELECT account_id, sum(account_delta_nanos) FROM journal WHERE seq <= ?1 GROUP BY account_id
         ON CONFLICT (account_id) DO UPDATE SET balance_nanos = balance_nanos + excluded.balance_nanos",
        [last],
    )?;
    transaction.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('journal_trimmed_through_seq', ?1)", [last.to_string()])?;
    transaction.execute("DELETE FROM journal WHERE seq <= ?1", [last])?;
    transaction.commit()?;
    Ok(count == ENTRIES_A_CALL)
}
