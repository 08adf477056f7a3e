use std::collections::HashSet;

use super::*;
use crate::apis::{Api, named};

fn state(balance: i64, held: i64, asked: i64) -> BudgetBody {
    let usd = |nanos| Usd::from_nanos(nanos).unwrap();
    BudgetBody { scope: "token", name: "team-backend".to_owned(), balance: usd(balance), held: usd(held), asked: usd(asked), resets_at: None }
}

fn openai() -> &'static dyn Api {
    named("openai").unwrap()
}

#[test]
fn an_exhausted_budget_reads_as_documented() {
    let refusal = Refusal::budget_exhausted(state(12_000, 0, 400_000));
    assert_eq!((refusal.status.as_u16(), refusal.code, refusal.should_retry(), refusal.retry_after), (402, "budget_exhausted", Some(false), None));
    let message = "Token 'team-backend' has $0.000012000 left of its budget; this request needs at least $0.000400000.";
    let budget = r#"{"scope":"token","name":"team-backend","balance":"0.000012000","held":"0.000000000","asked":"0.000400000","resets_at":null}"#;
    let expected = format!(
        r#"{{"error":{{"message":"{message}","type":"insufficient_quota","param":null,"code":"budget_exhausted","budget":{budget}}},"message":"{message}","request_id":"r-1"}}"#
    );
    assert_eq!(openai().envelope().refusal_body(&refusal, Some("r-1")), expected.as_bytes());
}

#[test]
fn a_held_budget_asks_to_come_back() {
    let refusal = Refusal::budget_held(state(1_000_000_000, 999_000_000, 2_000_000));
    assert_eq!((refusal.status.as_u16(), refusal.code, refusal.should_retry()), (429, "budget_held", None));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    assert!(refusal.message.contains("$0.999000000"), "{}", refusal.message);
}

#[test]
fn negative_balances_are_readable() {
    let refusal = Refusal::budget_exhausted(state(-1_500_000_000, 0, 1));
    assert!(refusal.message.contains("has -$1.500000000 left"), "{}", refusal.message);
}

#[test]
fn the_table_is_that_of_the_interface() {
    let rows = [
        (401, "invalid_token"),
        (401, "token_expired"),
        (402, "budget_exhausted"),
        (429, "budget_held"),
        (429, "rate_limited"),
        (403, "model_not_priced"),
        (403, "model_not_allowed"),
        (404, "route_not_found"),
        (400, "invalid_request"),
        (413, "request_too_large"),
        (415, "unsupported_encoding"),
        (503, "ledger_unavailable"),
        (503, "upstream_unavailable"),
        (502, "upstream_error"),
        (504, "upstream_timeout"),
    ];
    let found: Vec<_> = RefusalKind::ALL.iter().map(|kind| (kind.status().as_u16(), kind.code())).collect();
    assert_eq!(found, rows);
    assert_eq!(RefusalKind::ALL.iter().map(|kind| kind.code()).collect::<HashSet<_>>().len(), rows.len());
}

#[test]
fn any_text_makes_valid_json() {
    let refusal = Refusal::model_not_priced("a\"\\\n\u{1}é😀");
    let body: serde_json::Value = serde_json::from_slice(&openai().envelope().refusal_body(&refusal, None)).unwrap();
    assert_eq!(body["error"]["message"], refusal.message);
    assert_eq!(body["message"], refusal.message);
    assert_eq!(body["error"]["param"], "model");
    assert!(body.get("request_id").is_none() && body["error"].get("budget").is_none());
}
