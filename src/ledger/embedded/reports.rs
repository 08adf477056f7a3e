//! Daily usage, by SQL, on a connection of its own: the writer does not wait for a report.

use std::fmt::Write as _;
use std::path::Path;

use jiff::civil::Date;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::codec::{count, uncount, value};
use super::schema::{fault, unit_column};
use crate::ledger::report::{UsageFilter, UsageRow};
use crate::ledger::types::LedgerError;
use crate::prices::{Unit, Usage};

/// The daily usage that passes the filter, by day and token.
pub(crate) fn usage(path: &Path, filter: &UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
    read(path, filter).map_err(|error| fault(&error))
}

fn read(path: &Path, filter: &UsageFilter) -> rusqlite::Result<Vec<UsageRow>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mut sums = String::new();
    for unit in Unit::ALL {
        // Writing to a String cannot fail.
        let _ = write!(sums, ", sum(usage_daily.{})", unit_column(unit));
    }
    // A name may have been used again after a delete: its rows are one in the report.
    let sql = format!(
        "SELECT usage_daily.day, tokens.name, usage_daily.provider, usage_daily.model, usage_daily.feature, sum(usage_daily.requests), sum(usage_daily.cost_nanos),
            sum(usage_daily.estimated){sums}
         FROM accounts JOIN tokens USING (account_id) JOIN usage_daily USING (token_id)
         WHERE accounts.name = ?1 AND (?2 IS NULL OR usage_daily.day >= ?2) AND (?3 IS NULL OR usage_daily.day <= ?3) AND (?4 IS NULL OR tokens.name = ?4)
            AND (?5 IS NULL OR usage_daily.provider = ?5) AND (?6 IS NULL OR usage_daily.feature = ?6)
            AND (?7 IS NULL OR tokens.token_id = ?7)
         GROUP BY 1, 2, 3, 4, 5 HAVING sum(usage_daily.requests) <> 0 OR sum(usage_daily.cost_nanos) <> 0 ORDER BY 1, 2, 3, 4, 5"
    );
    let mut statement = connection.prepare(&sql)?;
    let (from, to) = (filter.from.map(|day| day.to_string()), filter.to.map(|day| day.to_string()));
    let rows =
        statement.query_map(params![filter.account, from, to, filter.token, filter.provider, filter.feature, filter.token_id.map(|id| count(id.0))], row)?;
    rows.collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<UsageRow> {
    let day: String = row.get(0)?;
    let day: Date = day.parse().map_err(|_| rusqlite::Error::from(FromSqlError::InvalidType))?;
    let mut usage = Usage::default();
    for (position, unit) in Unit::ALL.into_iter().enumerate() {
        usage.set(unit, uncount(row.get(8 + position)?));
    }
    Ok(UsageRow {
        day,
        token: row.get(1)?,
        provider: row.get(2)?,
        model: row.get(3)?,
        feature: row.get(4)?,
        requests: uncount(row.get(5)?),
        cost: value(row, 6)?,
        estimated: uncount(row.get(7)?),
        usage,
    })
}
