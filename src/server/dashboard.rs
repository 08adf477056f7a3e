//! The dashboard: one page on the ops listener, for people. No script, nothing loaded from elsewhere; it shows what `/metrics` shows, and as openly.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use jiff::Timestamp;

use crate::money::Usd;
use crate::tokens::{TokenKind, TokenView};

/// A page of more is no use to people. Those with the least left come first.
const MOST_ROWS: usize = 500;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;margin:2em;color-scheme:light dark}table{border-collapse:collapse;margin-top:1em}\
th,td{padding:.25em .9em .25em 0;text-align:left;border-bottom:1px solid #8884}.n{text-align:right;font-variant-numeric:tabular-nums}\
.bad{color:#c22;font-weight:600}";

/// What the page tells.
#[derive(Default)]
pub(super) struct Dashboard {
    not_ready: Option<String>,
    in_flight: i64,
    pending: usize,
    /// Those that may be shown, not more than twice as many as will be.
    tokens: Vec<TokenView>,
    count: usize,
    held: Usd,
    spent: Usd,
}

/// Text between tags.
struct Escaped<'a>(&'a str);

// === impl Dashboard ===

impl Dashboard {
    /// Of a gateway that is ready, or why it is not; with so many requests under way, and settlements that the ledger has not taken yet. No tokens so far.
    pub(super) fn new(not_ready: Option<String>, in_flight: i64, pending: usize) -> Self {
        Self { not_ready, in_flight, pending, ..Self::default() }
    }

    /// Takes one more token in.
    pub(super) fn add(&mut self, token: &TokenView) {
        self.count += 1;
        self.held = self.held.plus(token.held).unwrap_or(self.held);
        self.spent = self.spent.plus(token.spent).unwrap_or(self.spent);
        self.tokens.push(token.clone());
        if self.tokens.len() >= 2 * MOST_ROWS {
            self.keep_first();
        }
    }

    fn keep_first(&mut self) {
        self.tokens.sort_by(|one, other| urgency(one).cmp(&urgency(other)));
        self.tokens.truncate(MOST_ROWS);
    }

    /// The page.
    pub(super) fn page(mut self, now: Timestamp) -> String {
        self.keep_first();
        let mut page = String::with_capacity(4096 + 400 * self.tokens.len());
        // Writing to a string cannot fail.
        let _ = self.write(&mut page, now);
        page
    }

    fn write(&self, page: &mut String, now: Timestamp) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        write!(
            page,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"10\"><title>spendgate</title>\
             <style>{STYLE}</style></head><body><h1>spendgate {version}</h1><p>"
        )?;
        match &self.not_ready {
            None => page.push_str("Ready."),
            Some(reason) => write!(page, "<span class=\"bad\">Not ready: {}.</span>", Escaped(reason))?,
        }
        write!(page, " {} requests under way, {} settlements waiting for the ledger.</p>", self.in_flight, self.pending)?;
        // A ledger that does not answer tells of no tokens; that there are none would be another thing.
        if self.not_ready.is_none() || self.count > 0 {
            self.table(page, now)?;
        }
        let links = "<a href=\"/metrics\">/metrics</a> <a href=\"/healthz\">/healthz</a> <a href=\"/readyz\">/readyz</a>";
        writeln!(page, "<p>As of {}. {links}</p></body></html>", time(now))
    }

    fn table(&self, page: &mut String, now: Timestamp) -> fmt::Result {
        write!(page, "<p>{} tokens, ${} spent, ${} held.", self.count, self.spent.to_short_string(), self.held.to_short_string())?;
        if self.count > self.tokens.len() {
            write!(page, " Shown are the {} with the least left.", self.tokens.len())?;
        }
        page.push_str("</p><table><thead><tr><th>token</th><th>account</th><th>type</th><th class=\"n\">balance $</th><th class=\"n\">held $</th>");
        page.push_str("<th class=\"n\">spent $</th><th>resets</th><th>expires</th><th>last used</th></tr></thead><tbody>");
        for token in &self.tokens {
            row(page, token, now)?;
        }
        page.push_str("</tbody></table>");
        Ok(())
    }
}

/// Enforced budgets by what is left, then the others by name.
fn urgency(token: &TokenView) -> (Reverse<bool>, Option<Usd>, &str) {
    let budget = budget(token);
    (Reverse(budget.is_some()), budget, &token.name)
}

/// The balance, where it limits what is spent.
fn budget(token: &TokenView) -> Option<Usd> {
    token.balance.filter(|_| token.active_balance && token.kind == TokenKind::Api)
}

fn row(page: &mut String, token: &TokenView, now: Timestamp) -> fmt::Result {
    let bad = |bad: bool| if bad { "bad" } else { "" };
    let kind = match token.kind {
        TokenKind::Api => "api",
        TokenKind::Sandbox => "sandbox",
    };
    let amount = token.balance.map_or_else(|| "-".to_owned(), Usd::to_short_string);
    let unenforced = if token.balance.is_some() && budget(token).is_none() { " (not enforced)" } else { "" };
    let spent_up = budget(token).is_some_and(|left| left <= Usd::ZERO);
    let when = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), time);
    writeln!(
        page,
        "<tr><td>{}</td><td>{}</td><td>{kind}</td><td class=\"n {}\">{amount}{unenforced}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td>\
         <td class=\"{}\">{}</td><td>{}</td></tr>",
        Escaped(&token.name),
        Escaped(&token.account),
        bad(spent_up),
        token.held.to_short_string(),
        token.spent.to_short_string(),
        when(token.resets_at),
        bad(token.expire_time.is_some_and(|expires| expires <= now)),
        when(token.expire_time),
        when(token.last_used_at),
    )
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

// === impl Escaped ===

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                other => out.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::TokenId;

    fn token(name: &str, balance: Option<&str>) -> TokenView {
        TokenView {
            id: TokenId(1),
            account: "default".to_owned(),
            name: name.to_owned(),
            kind: TokenKind::Api,
            masked_secret: "sg_live_a1B2...c5D6".to_owned(),
            balance: balance.map(|balance| balance.parse().unwrap()),
            active_balance: balance.is_some(),
            reset: None,
            resets_at: None,
            held: Usd::ZERO,
            spent: "0.5".parse().unwrap(),
            expire_time: None,
            created_at: Timestamp::UNIX_EPOCH,
            last_used_at: None,
        }
    }

    #[test]
    fn the_least_left_comes_first_and_names_are_text() {
        let mut dashboard = Dashboard::default();
        for token in [token("free", None), token("rich", Some("50")), token("<b>&\"poor'", Some("-0.000000001"))] {
            dashboard.add(&token);
        }
        let page = dashboard.page(Timestamp::UNIX_EPOCH);
        assert!(page.contains("&lt;b&gt;&amp;&quot;poor&#39;") && !page.contains("<b>"), "{page}");
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
        assert!(place("poor") < place("rich") && place("rich") < place("free"), "{page}");
        assert!(page.contains("<td class=\"n bad\">-0.000000001</td>") && page.contains("3 tokens, $1.5 spent, $0 held"), "{page}");
        assert!(!page.contains("sg_live"), "{page}");
    }

    #[test]
    fn a_ledger_that_does_not_answer_tells_of_no_tokens() {
        let page = Dashboard::new(Some("no <connection>".to_owned()), 2, 1).page(Timestamp::UNIX_EPOCH);
        assert!(page.contains("Not ready: no &lt;connection&gt;.") && page.contains("2 requests under way, 1 settlements"), "{page}");
        assert!(!page.contains("tokens") && !page.contains("<table>"), "{page}");
        let page = Dashboard::new(None, 0, 0).page(Timestamp::UNIX_EPOCH);
        assert!(page.contains("Ready.") && page.contains("0 tokens, $0 spent, $0 held."), "{page}");
    }

    #[test]
    fn of_many_tokens_the_poorest_are_shown() {
        let mut dashboard = Dashboard::default();
        for number in (0..3 * MOST_ROWS).rev() {
            dashboard.add(&token(&format!("t{number:05}"), Some(&number.to_string())));
        }
        let page = dashboard.page(Timestamp::UNIX_EPOCH);
        assert_eq!(page.matches("<tr><td>").count(), MOST_ROWS);
        assert!(page.contains(&format!("{} tokens", 3 * MOST_ROWS)) && page.contains("Shown are the 500"), "{page}");
        assert!(page.contains("t00000") && page.contains("t00499") && !page.contains("t00500"));
    }
}
