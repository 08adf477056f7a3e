use proptest::prelude::*;

use super::*;
use crate::tokens::ResetPeriod;

const NOW: &str = "2026-06-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn shown(errors: &FieldErrors) -> String {
    serde_json::to_string(errors).unwrap()
}

fn created(body: &str) -> NewToken {
    create(body.as_bytes(), now()).unwrap_or_else(|refused| panic!("{body}: {}", shown(&refused.errors)))
}

fn create_errors(body: &str) -> String {
    shown(&create(body.as_bytes(), now()).expect_err(body).errors)
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[test]
fn a_name_is_all_that_create_needs() {
    let token = created(r#"{"name":"ci"}"#);
    let expected = NewToken { name: "ci".into(), kind: TokenKind::Api, balance: None, active_balance: false, expire_time: None, reset: None };
    assert_eq!(token, expected);
}

#[test]
fn create_reads_every_field() {
    let token = created(
        r#"{"name":"Équipe 東京","token_type":"sandbox_api_token","balance":"50.00","active_balance":true,"expire_time":"2026-12-31T23:59:59+02:00",
        "balance_reset_period":"weekly","balance_reset_amount":7.5}"#,
    );
    assert_eq!(token.name, "Équipe 東京");
    assert_eq!(token.kind, TokenKind::Sandbox);
    assert_eq!(token.balance, Some(usd("50")));
    assert!(token.active_balance);
    assert_eq!(token.expire_time, Some("2026-12-31T21:59:59Z".parse().unwrap()));
    assert_eq!(token.reset, Some(BudgetReset { period: ResetPeriod::Weekly, amount: usd("7.5") }));
}

#[test]
fn amounts_that_are_not_amounts_are_refused_on_every_verb() {
    let bad = [
        r#""""#,
        r#"" ""#,
        r#""-""#,
        r#"".""#,
        r#""-.""#,
        r#""1e3""#,
        "1e3",
        "1E3",
        "1e-05",
        r#""NaN""#,
        r#""Infinity""#,
        r#""-Infinity""#,
        r#""inf""#,
        "100000",
        r#""100000""#,
        r#""-100000""#,
        "-100000",
        "0.1234567891",
        r#""0.1234567891""#,
        r#""1,5""#,
        r#""1_000""#,
        r#""+5""#,
        r#"" 5""#,
        r#""5 ""#,
        r#""0x10""#,
        r#""٣""#,
        r#""5\u0000""#,
        "true",
        "false",
        "[]",
        r#"["5"]"#,
        "{}",
        r#"{"usd":5}"#,
        r#""000001""#,
        r#""$5""#,
        r#""1.2.3""#,
        r#""--5""#,
        "123456",
        "0.0000000001",
        "9007199254740993",
    ];
    for amount in bad {
        for (field, body) in [
            ("balance", format!(r#"{{"name":"n","balance":{amount}}}"#)),
            ("balance_reset_amount", format!(r#"{{"name":"n","balance_reset_period":"daily","balance_reset_amount":{amount}}}"#)),
        ] {
            let errors = create(body.as_bytes(), now()).expect_err(&body).errors;
            assert_eq!(errors.iter().map(|(name, _)| name).collect::<Vec<_>>(), [field], "{body}");
            assert!(patch(body.as_bytes()).expect_err(&body).errors.has(field), "{body}");
        }
        let body = format!(r#"{{"credits":{amount}}}"#);
        assert!(credits(body.as_bytes()).expect_err(&body).has("credits"));
    }
}

#[test]
fn what_is_no_json_number_at_all_is_a_parse_error() {
    for body in [
        r#"{"name":"n","balance":NaN}"#,
        r#"{"name":"n","balance":-}"#,
        r#"{"name":"n","balance":.5}"#,
        r#"{"name":"n","balance":05}"#,
        r#"{"name":"n","balance":+1}"#,
    ] {
        assert!(create_errors(body).starts_with(r#"{"non_field_errors":["JSON parse error"#), "{body}");
    }
}

#[test]
fn amounts_at_the_edges_are_exact() {
    for (text, nanos) in [
        ("99999.999999999", 99_999_999_999_999),
        ("-99999.999999999", -99_999_999_999_999),
        ("0.000000001", 1),
        ("0", 0),
        ("-0", 0),
        ("0.1", 100_000_000),
        ("87.45", 87_450_000_000),
        ("4503.599627371", 4_503_599_627_371),
    ] {
        for body in [format!(r#"{{"name":"n","balance":"{text}"}}"#), format!(r#"{{"name":"n","balance":{text}}}"#)] {
            assert_eq!(created(&body).balance.map(Usd::nanos), Some(nanos), "{body}");
            assert_eq!(patch(body.as_bytes()).unwrap().balance.unwrap().map(Usd::nanos), Some(nanos), "{body}");
        }
    }
    for (text, nanos) in [(".5", 500_000_000), ("5.", 5_000_000_000), ("-.5", -500_000_000), ("00005", 5_000_000_000)] {
        assert_eq!(created(&format!(r#"{{"name":"n","balance":"{text}"}}"#)).balance.map(Usd::nanos), Some(nanos), "{text}");
    }
    assert_eq!(created(r#"{"name":"n","balance":"\u0035"}"#).balance, Some(usd("5")), "escapes are undone");
}

#[test]
fn names_that_are_no_names_are_refused() {
    let long = "x".repeat(201);
    for (name, message) in [
        (r#""""#, "This field may not be blank."),
        (r#""  ""#, "This field may not be blank."),
        ("null", "This field may not be null."),
        ("5", "Not a valid string."),
        ("true", "Not a valid string."),
        (r#"["a"]"#, "Not a valid string."),
        (r#""\ud800""#, "Not a valid string."),
        (&format!("\"{long}\""), "Ensure this field has no more than 200 characters."),
        (r#""a/b""#, r#"A name may not contain \"/\" or control characters."#),
        (r#""a\nb""#, r#"A name may not contain \"/\" or control characters."#),
        (r#""a\u0000""#, r#"A name may not contain \"/\" or control characters."#),
        (r#""a\u007f""#, r#"A name may not contain \"/\" or control characters."#),
        (r#""a\u0085""#, r#"A name may not contain \"/\" or control characters."#),
        (r#""me""#, r#"\"me\" is reserved."#),
        (r#""legacy""#, r#"\"legacy\" is reserved."#),
        (r#""..""#, r#"\"..\" is reserved."#),
    ] {
        assert_eq!(create_errors(&format!(r#"{{"name":{name}}}"#)), format!(r#"{{"name":["{message}"]}}"#));
    }
    assert_eq!(create_errors("{}"), r#"{"name":["This field is required."]}"#);
    assert_eq!(create_errors(""), r#"{"name":["This field is required."]}"#);
    for name in ["x".repeat(200), "東".repeat(200), "Me".into(), "a b".into(), "a%2Fb".into(), "..a".into(), "\"".into(), "\\".into()] {
        assert_eq!(created(&serde_json::json!({ "name": name }).to_string()).name, name);
    }
}

#[test]
fn times_have_one_form() {
    for (text, utc) in [
        ("2026-06-01T12:00:01Z", "2026-06-01T12:00:01Z"),
        ("2026-06-01T12:00:01", "2026-06-01T12:00:01Z"),
        ("2026-06-01 12:01", "2026-06-01T12:01:00Z"),
        ("2026-06-01t12:01z", "2026-06-01T12:01:00Z"),
        ("2026-06-01T12:00:00.000000001", "2026-06-01T12:00:00.000000001Z"),
        ("2026-06-01T12:00:00.5+00:00", "2026-06-01T12:00:00.5Z"),
        ("2026-06-01T14:00:01+0200", "2026-06-01T12:00:01Z"),
        ("2026-06-01T07:30:01-05:30", "2026-06-01T13:00:01Z"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00Z"),
        ("9999-12-31T23:59:59.999999", "9999-12-30T22:00:00Z"),
        ("9999-12-30T21:00:00Z", "9999-12-30T21:00:00Z"),
    ] {
        let expected: Timestamp = utc.parse().unwrap();
        assert_eq!(parse_time(text), Some(expected), "{text}");
    }
    for text in [
        "",
        "now",
        "14d",
        "2026-06-01",
        "2026-06",
        "2026-W23-1",
        "2026-13-01T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2026-06-01T24:00:00Z",
        "2026-06-01T12:00:00 Z",
        "2026-06-01T12Z",
        "2026-06-01T12:00:00[UTC]",
        "2026-06-01T12:00:00Z[UTC]",
        "2026-06-01T12:00:00.Z",
        "2026-06-01T12:00:00.0000000001Z",
        "2026-06-01T12:00:00,5Z",
        "2026-06-01T12:00:00+1",
        "2026-06-01T12:00:00+99:00",
        "20260601T120000Z",
        "+002026-06-01T12:00:00Z",
        " 2026-06-01T12:00:00Z",
        "2026-06-01T12:00:00Zx",
        "2026-06-01T12:0٣:00Z",
        "1780315200",
        "2026-06-01T12:00:",
        "2026-06-01T12:00:0",
    ] {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

#[test]
fn an_expiry_in_the_past_is_refused_on_create_alone() {
    for text in [NOW, "2026-06-01T12:00:00", "2020-01-01T00:00:00Z", "2026-06-01T13:59:59+02:00"] {
        let body = format!(r#"{{"name":"n","expire_time":"{text}"}}"#);
        assert_eq!(create_errors(&body), r#"{"expire_time":["Ensure this time is in the future."]}"#);
        assert!(patch(body.as_bytes()).unwrap().expire_time.unwrap().is_some());
    }
    assert_eq!(created(r#"{"name":"n","expire_time":null}"#).expire_time, None);
    assert_eq!(patch(br#"{"expire_time":null}"#).unwrap().expire_time, Some(None));
    for wrong in ["5", "true", r#""""#, r#""tomorrow""#, "1780315200"] {
        assert!(create_errors(&format!(r#"{{"name":"n","expire_time":{wrong}}}"#)).starts_with(r#"{"expire_time":["Datetime has wrong format."#));
    }
}

#[test]
fn an_enforced_budget_needs_a_figure() {
    assert_eq!(create_errors(r#"{"name":"n","active_balance":true}"#), r#"{"active_balance":["A balance is required to turn active_balance on."]}"#);
    assert_eq!(
        create_errors(r#"{"name":"n","active_balance":true,"balance":null}"#),
        r#"{"active_balance":["A balance is required to turn active_balance on."]}"#
    );
    for wrong in ["null", "1", r#""true""#, "[]"] {
        assert!(create_errors(&format!(r#"{{"name":"n","active_balance":{wrong}}}"#)).starts_with(r#"{"active_balance":["#));
    }
}

#[test]
fn an_error_that_only_follows_from_another_is_not_told() {
    let body = r#"{"name":"n","active_balance":true,"balance":"1e3"}"#;
    assert_eq!(create(body.as_bytes(), now()).unwrap_err().errors.iter().map(|(field, _)| field).collect::<Vec<_>>(), ["balance"]);
    let body = r#"{"name":"n","balance_reset_period":"daily","balance_reset_amount":-1}"#;
    assert_eq!(create_errors(body), r#"{"balance_reset_amount":["Ensure this value is greater than or equal to 0."]}"#);
    let body = r#"{"name":"n","balance_reset_period":"hourly","balance_reset_amount":1}"#;
    assert_eq!(create_errors(body), r#"{"balance_reset_period":["\"hourly\" is not a valid choice."]}"#);
}

#[test]
fn a_reset_turns_the_budget_on_and_fills_it() {
    let token = created(r#"{"name":"n","balance_reset_period":"monthly","balance_reset_amount":"20"}"#);
    assert!(token.active_balance);
    assert_eq!(token.balance, Some(usd("20")));
    let token = created(r#"{"name":"n","balance_reset_period":"monthly","balance_reset_amount":"20","balance":"3","active_balance":false}"#);
    assert!(token.active_balance, "a default that was sent along turns nothing off");
    assert_eq!(token.balance, Some(usd("3")));
    for body in
        [r#"{"name":"n","balance_reset_period":"daily"}"#, r#"{"name":"n","balance_reset_period":"daily","balance_reset_amount":null,"active_balance":true}"#]
    {
        assert_eq!(create_errors(body), r#"{"balance_reset_amount":["This field is required unless balance_reset_period is \"none\"."]}"#);
    }
    assert_eq!(
        create_errors(r#"{"name":"n","balance_reset_amount":"5"}"#),
        r#"{"balance_reset_amount":["An amount without a balance_reset_period has no effect."]}"#
    );
    for none in [r#""none""#, "null"] {
        assert_eq!(created(&format!(r#"{{"name":"n","balance_reset_period":{none},"balance_reset_amount":5}}"#)).reset, None);
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let body = r#"{"token_type":"admin","balance":"NaN","active_balance":"yes","expire_time":"soon","balance_reset_period":5,"balance_reset_amount":"x","token":"mine","blance":5,
        "a":1,"a":2}"#;
    let errors = create(body.as_bytes(), now()).unwrap_err().errors;
    let mut fields: Vec<&str> = errors.iter().map(|(field, _)| field).collect();
    fields.sort_unstable();
    let all = ["a", "active_balance", "balance", "balance_reset_amount", "balance_reset_period", "blance", "expire_time", "name", "token", "token_type"];
    assert_eq!(fields, all);
    let errors = patch(body.as_bytes()).unwrap_err().errors;
    for field in ["a", "active_balance", "balance", "balance_reset_amount", "balance_reset_period", "blance", "expire_time"] {
        assert!(errors.has(field), "{field}");
    }
    for field in ["name", "token", "token_type"] {
        assert!(!errors.has(field), "{field} is read-only");
    }
}

#[test]
fn a_name_is_known_even_when_the_rest_is_wrong() {
    let refused = create(br#"{"name":"taken","balance":"x"}"#, now()).unwrap_err();
    assert_eq!(refused.name.as_deref(), Some("taken"));
    let refused = create(br#"{"name":"a","name":"b"}"#, now()).unwrap_err();
    assert_eq!(refused.name, None, "nobody knows which is meant");
    let refused = patch(br#"{"balance":1,"balance":2}"#).unwrap_err();
    assert_eq!(refused.patch, TokenPatch::default());
    let refused = patch(br#"{"balance":"x","active_balance":true}"#).unwrap_err();
    assert_eq!(refused.patch, TokenPatch { active_balance: Some(true), ..TokenPatch::default() });
}

#[test]
fn duplicates_and_unknown_fields_are_refused() {
    assert_eq!(create_errors(r#"{"name":"n","balance":"5","balance":"5"}"#), r#"{"balance":["This field is given more than once."]}"#);
    assert_eq!(create_errors(r#"{"name":"a","n\u0061me":"b"}"#), r#"{"name":["This field is given more than once."]}"#);
    assert_eq!(create_errors(r#"{"name":"a","name":"b","name":"c","name":"d"}"#), r#"{"name":["This field is given more than once."]}"#);
    assert_eq!(create_errors(r#"{"name":"n","Balance":"5"}"#), r#"{"Balance":["Unknown field."]}"#);
    assert_eq!(create_errors(r#"{"name":"n","":0}"#), r#"{"":["Unknown field."]}"#);
    assert_eq!(create_errors(r#"{"name":"n","token":"sg_live_x"}"#), r#"{"token":["Secrets are generated: this field cannot be set."]}"#);
    assert_eq!(created(r#"{"name":"n","held":1,"spent":2,"created_at":"x","last_used_at":null,"resets_at":null}"#).name, "n");
    assert_eq!(shown(&patch(br#"{"blance":5}"#).unwrap_err().errors), r#"{"blance":["Unknown field."]}"#);
}

#[test]
fn bodies_that_are_no_objects_are_refused() {
    for body in ["[]", "5", "null", "\"x\"", "true", r#"[{"name":"n"}]"#] {
        let errors = create_errors(body);
        assert!(errors.starts_with(r#"{"non_field_errors":["Invalid data. Expected an object, but got "#), "{body}: {errors}");
        assert_eq!(shown(&patch(body.as_bytes()).unwrap_err().errors), errors);
    }
    for body in ["{", "{}{}", "name=x", "{\"name\":\"n\",}", "{'name':'n'}", " ", "\u{feff}{}", "{\"name\":\"a\nb\"}", "{name:1}"] {
        assert!(create_errors(body).starts_with(r#"{"non_field_errors":["JSON parse error"#), "{body}");
        assert!(patch(body.as_bytes()).unwrap_err().errors.has(FieldErrors::WHOLE));
    }
    let errors = create(b"{\"name\":\"\xff\"}", now()).unwrap_err().errors;
    assert_eq!(shown(&errors), r#"{"non_field_errors":["JSON parse error - not UTF-8 from byte 9 on."]}"#);
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(create(deep.as_bytes(), now()).is_err());
    assert_eq!(patch(b"").unwrap_err().errors, FieldErrors::of(FieldErrors::WHOLE, "A JSON object is required."));
    assert_eq!(patch(b"{}").unwrap(), TokenPatch::default());
}

#[test]
fn patch_tells_null_from_missing() {
    let cleared = patch(br#"{"balance":null,"expire_time":null,"balance_reset_period":"none","balance_reset_amount":null}"#).unwrap();
    assert_eq!(cleared, TokenPatch { balance: Some(None), active_balance: None, expire_time: Some(None), reset_period: Some(None), reset_amount: Some(None) });
    assert!(patch(br#"{"active_balance":null}"#).unwrap_err().errors.has("active_balance"));
}

#[test]
fn a_grace_is_a_bounded_whole_number_of_seconds() {
    assert_eq!(rotate(b"").unwrap(), Duration::ZERO);
    assert_eq!(rotate(b"{}").unwrap(), Duration::ZERO);
    assert_eq!(rotate(br#"{"grace_seconds":2592000}"#).unwrap(), Duration::from_secs(2_592_000));
    for wrong in ["-1", "1.5", "1e3", r#""60""#, "null", "2592001", "99999999999999999999", "true"] {
        assert!(rotate(format!(r#"{{"grace_seconds":{wrong}}}"#).as_bytes()).unwrap_err().has("grace_seconds"), "{wrong}");
    }
    assert!(rotate(br#"{"grace":5}"#).unwrap_err().has("grace"));
}

#[test]
fn credits_are_an_amount_or_null() {
    assert_eq!(credits(br#"{"credits":"42.50"}"#).unwrap(), Some(usd("42.5")));
    assert_eq!(credits(br#"{"credits":42.5}"#).unwrap(), Some(usd("42.5")));
    assert_eq!(credits(br#"{"credits":null}"#).unwrap(), None);
    assert_eq!(shown(&credits(b"{}").unwrap_err()), r#"{"credits":["This field is required."]}"#);
    assert_eq!(shown(&credits(br#"{"credits":1,"credits":1}"#).unwrap_err()), r#"{"credits":["This field is given more than once."]}"#);
}

/// The exact count of nano-dollars of a decimal text, worked out another way than `Usd` does: by padding, then one parse.
fn nanos_of(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

proptest! {
    #[test]
    fn an_accepted_amount_is_the_stored_amount(text in "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,9})?") {
        for body in [format!(r#"{{"name":"n","balance":"{text}"}}"#), format!(r#"{{"name":"n","balance":{text}}}"#)] {
            let token = create(body.as_bytes(), now()).unwrap();
            prop_assert_eq!(token.balance.unwrap().nanos(), nanos_of(&text));
        }
    }

    #[test]
    fn only_what_the_form_allows_is_an_amount(text in "[-+0-9.eE ]{0,12}") {
        let form = regex::Regex::new(r"^-?\d{0,5}(\.\d{0,9})?$").unwrap();
        let allowed = form.is_match(&text) && text.bytes().any(|byte| byte.is_ascii_digit());
        prop_assert_eq!(amount_text(&text).is_ok(), allowed);
    }

    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (create(&body, now()), patch(&body), rotate(&body), credits(&body));
    }

    #[test]
    fn no_time_panics_and_an_accepted_one_survives_a_round_trip(text in "[-0-9T:.Z+ ]{0,36}|20[0-9]{2}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-][01][0-9]:?[0-5][0-9])?") {
        if let Some(time) = parse_time(&text) {
            prop_assert_eq!(parse_time(&time.to_string()), Some(time));
        }
    }
}
