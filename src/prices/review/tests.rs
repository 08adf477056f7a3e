use super::*;

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// What is odd about a price book, as people see it.
fn odd(text: &str) -> Vec<String> {
    let (_, models) = PriceBook::read(text, "p.toml").unwrap();
    review(&models, "p.toml", text, now()).iter().map(ToString::to_string).collect()
}

/// A table of a model of a provider that is not built in.
fn model(id: &str, rest: &str) -> String {
    format!("[[models]]\nprovider = \"p\"\nid = \"{id}\"\n{rest}\n")
}

#[test]
fn a_plain_price_book_is_not_odd() {
    let text = model(
        "m",
        "context = 8000\nmax_output = 1000\nprices = [{ input_mtok = \"1\", cache_read_mtok = \"0.1\", output_mtok = \"4\" }, { when = { service_tier = \"flex\" }, input_mtok = \"0.5\", output_mtok = \"2\" }, { when = { service_tier = \"priority\" }, input_mtok = \"2\", output_mtok = \"8\" }, { when = { processing = \"batch\" }, input_mtok = \"0.5\", output_mtok = \"2\" }]",
    ) + &model("embed", "prices = { input_mtok = \"0.02\" }")
        + &model("free", "free = true")
        + &model("unknown", "unpriced = \"why\"")
        + &model("image", "prices = { images = \"0.04\" }");
    assert!(odd(&text).is_empty(), "{:?}", odd(&text));
}

#[test]
fn what_is_odd_is_told_with_its_place() {
    let rows = [
        ("prices = { input_mtok = \"1\", output_mtok = \"2\" }", "\"m\" has neither max_output nor context"),
        ("context = 5\nmax_output = 6\nprices = { input_mtok = \"1\", output_mtok = \"2\" }", "\"m\" has a max_output of 6, more than its context of 5"),
        ("context = 5\nmax_input = 6\nfree = true", "\"m\" has a max_input of 6, more than its context of 5"),
        (
            "context = 5\nprices = { input_mtok = \"0.0000025\", output_mtok = \"0.00001\" }",
            "\"m\" has input_mtok = \"0.0000025\", in USD per million tokens: is it the price of one?",
        ),
        ("context = 5\nprices = { input_mtok = \"0\", output_mtok = \"0\" }", "\"m\" has prices that are all zero: say free = true"),
        ("context = 5\nprices = { input_mtok = \"10\", output_mtok = \"2.5\" }", "\"m\" has output that costs less than half of its input"),
        (
            "context = 5\nprices = { input_mtok = \"1\", cache_read_mtok = \"2\", output_mtok = \"1\" }",
            "\"m\" has input that costs more when it is read from the cache",
        ),
        (
            "context = 5\nprices = [{ input_mtok = \"1\", output_mtok = \"2\" }, { when = { service_tier = \"flex\" }, input_mtok = \"1\", output_mtok = \"3\" }]",
            "\"m\" has output that costs more with service_tier = \"flex\" than usually",
        ),
        (
            "context = 5\nprices = [{ input_mtok = \"1\", output_mtok = \"2\" }, { when = { speed = \"fast\" }, input_mtok = \"0.5\", output_mtok = \"3\" }]",
            "\"m\" has input that costs less with speed = \"fast\" than usually",
        ),
    ];
    for (rest, expected) in rows {
        let found = odd(&model("m", rest));
        assert_eq!(found.len(), 1, "{rest}: {found:?}");
        assert!(found[0].starts_with(&format!("p.toml:1:1: warning: {expected}")), "{rest}: {found:?}");
    }
    // What is over does not count.
    let over = "context = 5\nprices = [{ input_mtok = \"1\", output_mtok = \"2\" }, { from = 2030-01-01, when = { processing = \"batch\" }, input_mtok = \"5\", output_mtok = \"9\" }]";
    assert!(odd(&model("m", over)).is_empty());
}

#[test]
fn rules_that_never_apply_are_told() {
    let free = |id: &str, names: &str| model(id, &format!("match = {names}\nfree = true"));
    let rows = [
        ("{ starts_with = \"gpt-\" }", "{ starts_with = \"gpt-4\" }", true),
        ("{ starts_with = \"gpt-4\" }", "{ starts_with = \"gpt-\" }", false),
        ("{ ends_with = \"-4\" }", "{ ends_with = \"gpt-4\" }", true),
        ("{ contains = \"pt\" }", "{ contains = \"gpt-\" }", true),
        ("{ contains = \"gpt\" }", "{ starts_with = \"my-gpt-\" }", true),
        ("{ contains = \"gpt\" }", "{ any = [{ contains = \"other\" }, { ends_with = \"-gpt\" }] }", true),
        ("{ regex = '^a' }", "{ regex = '^a' }", true),
        ("{ regex = '^a' }", "{ regex = '^b' }", false),
        ("{ not = { contains = \"2\" } }", "{ contains = \"b\" }", false),
    ];
    for (first, second, told) in rows {
        let found = odd(&(free("1", first) + &free("2", second)));
        let expected: &[&str] =
            if told { &["p.toml:9:9: warning: this rule of \"2\" never applies: \"1\" comes before and takes all that it matches"] } else { &[] };
        assert_eq!(found, expected, "{first} {second}");
        // Another provider's rules do not matter, nor do a model's own.
        assert!(odd(&(free("1", first) + &free("2", second).replace("\"p\"", "\"q\""))).is_empty());
        assert!(odd(&free("1", &format!("[{first}, {second}]"))).is_empty());
    }
    assert_eq!(odd(&(model("m", "free = true") + &model("M", "free = true"))), ["p.toml:5:1: warning: \"M\" and \"m\" differ in case alone"]);
}

#[test]
fn prices_far_from_the_built_in_ones_are_told() {
    let gpt = |input: &str, output: &str| {
        format!("[[models]]\nprovider = \"openai\"\nid = \"gpt-4o\"\ncontext = 5\nprices = {{ input_mtok = \"{input}\", output_mtok = \"{output}\" }}\n")
    };
    assert!(odd(&gpt("2.5", "10")).is_empty());
    assert!(odd(&gpt("25", "100")).is_empty());
    assert_eq!(odd(&gpt("25.1", "100")), ["p.toml:1:1: warning: \"gpt-4o\" has input_mtok = \"25.1\", more than ten times the \"2.5\" that is built in"]);
    assert_eq!(odd(&gpt("0.24", "10")), ["p.toml:1:1: warning: \"gpt-4o\" has input_mtok = \"0.24\", less than a tenth of the \"2.5\" that is built in"]);
}

#[test]
fn many_of_a_kind_are_told_with_their_number() {
    let text: String = (0..30).map(|number| model(&format!("m{number}"), "prices = { input_mtok = \"1\", output_mtok = \"2\" }")).collect();
    let found = odd(&text);
    assert_eq!(found.len(), 21);
    assert!(found[20].starts_with("p.toml: warning: 10 more like this: \"m20\" has neither"), "{found:?}");
}

/// Of the price book that is built in nothing is odd but limits that nobody knows, and what was looked at and is so.
#[test]
fn little_is_odd_about_what_is_built_in() {
    let found = odd(PriceBook::BUILTIN);
    let known = ["@cf/meta/llama-guard-3-8b", "deepseek/deepseek-v4.1-flash", "~deepseek/deepseek-pro-latest"];
    let told: Vec<&String> = found.iter().filter(|what| !what.contains("max_output") && !known.iter().any(|name| what.contains(name))).collect();
    assert!(told.is_empty(), "{told:?}");
}
