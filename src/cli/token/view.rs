//! Tokens for people: a table of many, a sheet of one. Amounts are shown with the very digits of the answer.

use comfy_table::{Cell, CellAlignment, Table};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A token as the API shows it.
#[derive(Debug, Deserialize)]
pub(super) struct TokenLine {
    pub(super) name: String,
    /// The secret on create and rotate, masked elsewhere.
    pub(super) token: String,
    token_type: String,
    balance: Option<Box<RawValue>>,
    active_balance: bool,
    expire_time: Option<String>,
    balance_reset_period: String,
    balance_reset_amount: Option<Box<RawValue>>,
    resets_at: Option<String>,
    held: Box<RawValue>,
    spent: Box<RawValue>,
    created_at: String,
    last_used_at: Option<String>,
}

/// Many tokens.
pub(super) fn table(lines: &[TokenLine]) -> String {
    let mut table = super::super::usage::plain_table();
    table.set_header(["NAME", "TYPE", "BALANCE", "ENFORCED", "HELD", "SPENT", "EXPIRES", "LAST USED"]);
    for line in lines {
        let right = |text: &str| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            Cell::new(&line.name),
            Cell::new(&line.token_type),
            right(amount(line.balance.as_deref())),
            Cell::new(if line.active_balance { "yes" } else { "no" }),
            right(amount(Some(&line.held))),
            right(amount(Some(&line.spent))),
            Cell::new(line.expire_time.as_deref().unwrap_or("never")),
            Cell::new(line.last_used_at.as_deref().unwrap_or("never")),
        ]);
    }
    table.trim_fmt()
}

fn amount(raw: Option<&RawValue>) -> &str {
    raw.map_or("-", |raw| raw.get().trim_matches('"'))
}

// === impl TokenLine ===

impl TokenLine {
    /// One token, a field a line.
    pub(super) fn sheet(&self) -> String {
        let reset = match &self.balance_reset_amount {
            Some(_) => format!(
                "{} to {}, next at {}",
                self.balance_reset_period,
                amount(self.balance_reset_amount.as_deref()),
                self.resets_at.as_deref().unwrap_or("-")
            ),
            None => "none".to_owned(),
        };
        let mut table: Table = super::super::usage::plain_table();
        table.add_rows([
            ["name", &self.name],
            ["secret", &self.token],
            ["type", &self.token_type],
            ["balance", amount(self.balance.as_deref())],
            ["enforced", if self.active_balance { "yes" } else { "no" }],
            ["held", amount(Some(&self.held))],
            ["spent", amount(Some(&self.spent))],
            ["resets", &reset],
            ["expires", self.expire_time.as_deref().unwrap_or("never")],
            ["created", &self.created_at],
            ["last used", self.last_used_at.as_deref().unwrap_or("never")],
        ]);
        table.trim_fmt()
    }
}
