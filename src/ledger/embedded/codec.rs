//! How values are spelt in the file.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::ledger::types::{Certainty, ChargeLabel, HoldId};
use crate::money::Usd;
use crate::tokens::{ResetPeriod, SecretHash, TokenKind};

/// A value as it is stored.
pub(super) struct Stored<T>(pub(super) T);

/// An unsigned count as SQLite keeps it.
pub(super) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A stored count; what is negative (nothing of ours) counts as nothing.
pub(super) fn uncount(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Api => "api_token",
        TokenKind::Sandbox => "sandbox_api_token",
    }
}

pub(super) fn period_name(period: ResetPeriod) -> &'static str {
    match period {
        ResetPeriod::Daily => "daily",
        ResetPeriod::Weekly => "weekly",
        ResetPeriod::Monthly => "monthly",
    }
}

pub(super) fn certainty_name(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Exact => "exact",
        Certainty::Estimated => "estimated",
        Certainty::Uncertain => "uncertain",
    }
}

/// Reads a label from three neighbouring columns.
pub(super) fn label(row: &Row<'_>, first: usize) -> rusqlite::Result<Arc<ChargeLabel>> {
    Ok(Arc::new(ChargeLabel { provider: row.get(first)?, model: row.get(first + 1)?, feature: row.get(first + 2)? }))
}

// === impl Stored ===

impl ToSql for Stored<Usd> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.nanos().into())
    }
}

impl FromSql for Stored<Usd> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanos = value.as_i64()?;
        Usd::from_nanos(nanos).map(Self).map_err(|_| FromSqlError::OutOfRange(nanos))
    }
}

impl ToSql for Stored<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_millisecond().into())
    }
}

impl FromSql for Stored<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = value.as_i64()?;
        Timestamp::from_millisecond(millis).map(Self).map_err(|_| FromSqlError::OutOfRange(millis))
    }
}

impl ToSql for Stored<HoldId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0)))
    }
}

impl FromSql for Stored<HoldId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(HoldId(bytes)))
    }
}

impl ToSql for Stored<SecretHash> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0)))
    }
}

impl FromSql for Stored<SecretHash> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(SecretHash(bytes)))
    }
}

impl FromSql for Stored<TokenKind> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [TokenKind::Api, TokenKind::Sandbox].into_iter().find(|kind| kind_name(*kind) == text).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Stored<ResetPeriod> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        [ResetPeriod::Daily, ResetPeriod::Weekly, ResetPeriod::Monthly]
            .into_iter()
            .find(|period| period_name(*period) == text)
            .map(Self)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// Reads an optional value.
pub(super) fn optional<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    Stored<T>: FromSql,
{
    Ok(row.get::<_, Option<Stored<T>>>(column)?.map(|stored| stored.0))
}

/// Reads a value.
pub(super) fn value<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    Stored<T>: FromSql,
{
    Ok(row.get::<_, Stored<T>>(column)?.0)
}
