//! What a merge does to a price book that is there.

use super::*;
use crate::prices::file::Worth;
use crate::prices::import::edit;

/// A models.dev list of one model of `p`.
fn list(id: &str, rest: &str) -> String {
    format!(r#"{{"p": {{"models": {{"{id}": {{{rest}}}}}}}}}"#)
}

fn cost(input: &str, output: &str) -> String {
    format!(r#""cost": {{"input": {input}, "output": {output}}}"#)
}

/// The text and the change of the one model that is on the list.
fn one(text: &str, list: &str) -> (String, String) {
    let (text, changes) = merged(text, list, &Selection { free: true, ..Selection::default() });
    let [change] = &changes[..] else { panic!("{changes:?}") };
    (text, change.split_once(": ").unwrap().1.to_owned())
}

const BOOK: &str = "\
# My prices.

# The good one.
[[models]] # here
provider = \"p\"
id = \"good\" # its name
match = [\"good-1\", # the first
  \"good-2\"]
context = 1000   # tokens
prices = { input_mtok = \"2.50\", output_mtok = '10', web_searches_kcount = \"10\" } # as agreed

[[models]]
provider = \"p\"
id = \"tiered\"
max_output = 5
prices = [
  { input_mtok = \"1\", output_mtok = \"2\" }, # of old
  { from = 2026-05-01, input_mtok = \"2\", output_mtok = \"4\" },
  { from = 2027-05-01, input_mtok = \"3\", output_mtok = \"6\" },
  { when = { service_tier = \"flex\" }, input_mtok = \"1\", output_mtok = \"2\" },
]

[[models]]
provider = \"p\"
id = \"family\"
match = { starts_with = \"family-\" }
free = true

[[models]]
provider = \"q\"
id = \"other\"
unpriced = \"not told\"
";

#[test]
fn the_same_prices_change_nothing() {
    let same = list("good", r#""cost": {"input": 2.5, "output": 10.0}, "limit": {"context": 1000}"#);
    assert_eq!(one(BOOK, &same), (BOOK.to_owned(), "same".to_owned()));
    // Neither do other names at the same prices, by a name in full or by a rule.
    assert_eq!(one(BOOK, &list("good-2", &cost("2.5", "1e1"))).1, "same");
    assert_eq!(one(BOOK, &list("family-9", &cost("0", "0"))).1, "same");
}

#[test]
fn changed_prices_are_written_and_all_else_stays() {
    let (text, change) = one(BOOK, &list("good", r#""cost": {"input": 2, "output": 10, "cache_read": 0.2}, "limit": {"context": 2000, "output": 100}"#));
    assert_eq!(change, "changed, input_mtok 2.5 -> 2, cache_read_mtok 0.2; context 1000 -> 2000; max_output 100; as before: web_searches_kcount");
    let expected = BOOK
        .replace("id = \"good\" # its name\n", "id = \"good\" # its name\nmax_output = 100\n")
        .replace("context = 1000   # tokens", "context = 2000   # tokens")
        .replace(
            "prices = { input_mtok = \"2.50\", output_mtok = '10', web_searches_kcount = \"10\" } # as agreed",
            "prices = { input_mtok = \"2\", cache_read_mtok = \"0.2\", output_mtok = \"10\", web_searches_kcount = \"10\" } # as agreed",
        );
    assert_eq!(text, expected);
}

#[test]
fn of_dated_prices_the_one_in_force_changes() {
    let (text, change) = one(BOOK, &list("tiered", &cost("2", "40.1")));
    assert_eq!(change, "changed, from 2026-05-01: output_mtok 4 -> 40.1 (more than tenfold); as before: service_tier = \"flex\"");
    let models = PriceBook::read(&text, "p").unwrap().1;
    let Worth::Terms(terms) = &models[1].worth else { panic!("no terms") };
    let outputs: Vec<String> = terms.iter().flat_map(|terms| terms.rows()).filter(|row| row.key == "output_mtok").map(|row| row.usd).collect();
    assert_eq!(outputs, ["2", "40.1", "6", "2"]);
}

#[test]
fn what_is_free_or_unpriced_gets_prices() {
    let (text, change) = one(BOOK, &list("family", &cost("1", "2")));
    assert_eq!(change, "changed, input_mtok 1, output_mtok 2; was free");
    assert!(text.contains("match = { starts_with = \"family-\" }\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n"), "{text}");
    let (text, change) = one(BOOK, &list("other", &cost("1", "2")).replace("\"p\"", "\"q\""));
    assert_eq!(change, "changed, input_mtok 1, output_mtok 2; was unpriced: not told");
    assert!(text.ends_with("id = \"other\"\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n"), "{text}");
}

#[test]
fn a_name_with_a_price_of_its_own_gets_a_table_before_the_one_that_took_it() {
    // A name in full is taken away from the list that it stood in.
    let (text, change) = one(BOOK, &list("good-1", &cost("3", "12")));
    assert_eq!(change, "added, input_mtok 3, output_mtok 12; context 1000; was priced as good");
    let table = "[[models]]\nprovider = \"p\"\nid = \"good-1\"\ncontext = 1000\nprices = { input_mtok = \"3\", output_mtok = \"12\" }\n\n";
    assert_eq!(
        text,
        BOOK.replace("# The good one.\n", &format!("{table}# The good one.\n")).replace("[\"good-1\", # the first\n  \"good-2\"]", "[\"good-2\"]")
    );
    // One that a rule takes goes before the rule.
    let (text, _) = one(BOOK, &list("family-1", &cost("3", "12")));
    let book = PriceBook::parse(&text, "p").unwrap();
    assert_eq!((&*book.find("p", "family-1").unwrap().id, &*book.find("p", "family-2").unwrap().id), ("family-1", "family"));
}

#[test]
fn new_models_stand_behind_their_providers_and_new_providers_at_the_end() {
    let (text, _) = one(BOOK, &list("new", &cost("1", "2")));
    assert!(
        text.contains(
            "free = true\n\n[[models]]\nprovider = \"p\"\nid = \"new\"\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n\n[[models]]\nprovider = \"q\""
        ),
        "{text}"
    );
    let (text, _) = one(BOOK, &list("new", &cost("1", "2")).replace("\"p\"", "\"z\""));
    assert!(
        text.ends_with("not told\"\n\n# z\n\n[[models]]\nprovider = \"z\"\nid = \"new\"\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n"),
        "{text}"
    );
    // Also where the file does not end in a newline.
    let (text, _) = one(BOOK.trim_end(), &list("new", &cost("1", "2")).replace("\"p\"", "\"q\""));
    assert!(text.ends_with("not told\"\n\n[[models]]\nprovider = \"q\"\nid = \"new\"\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n"), "{text}");
}

#[test]
fn a_model_that_is_there_gets_names_that_nothing_else_has() {
    let list = r#"[{"id": "p", "models": [{"id": "good", "match": {"or": [{"equals": "good-3"}, {"equals": "good-2"}, {"equals": "family-3"}, {"starts_with": "g"}]}, "prices": {"input_mtok": 2.5, "output_mtok": 10}}]}]"#;
    let (text, change) = one(BOOK, list);
    assert_eq!(change, "changed, also named good-3");
    assert_eq!(text, BOOK.replace("  \"good-2\"]", "  \"good-2\", \"good-3\"]"));
    let (text, _) = one(&BOOK.replace("match = { starts_with = \"family-\" }\n", ""), &list.replace("\"good\"", "\"family\""));
    assert!(text.contains("id = \"family\"\nmatch = [\"good-3\", \"family-3\"]\n"), "{text}");
    let (text, _) = one(BOOK, &list.replace("\"good\"", "\"family\""));
    assert!(text.contains("match = [{ starts_with = \"family-\" }, \"good-3\"]\n"), "{text}");
    let (text, _) = one(&BOOK.replace("{ starts_with = \"family-\" }", "[]"), &list.replace("\"good\"", "\"family\""));
    assert!(text.contains("match = [\"good-3\", \"family-3\"]\n"), "{text}");
}

#[test]
fn a_model_may_get_names_and_give_others_away_at_once() {
    let list = r#"[{"id": "p", "models": [{"id": "good", "match": {"or": [{"equals": "good-3"}]}, "prices": {"input_mtok": 2.5, "output_mtok": 10}},
        {"id": "good-1", "match": {"equals": "good-1"}, "prices": {"input_mtok": 3, "output_mtok": 10}}]}]"#;
    let (text, changes) = merged(BOOK, list, &Selection::default());
    assert_eq!(changes, ["p good: changed, also named good-3", "p good-1: added, input_mtok 3, output_mtok 10; context 1000; was priced as good"]);
    assert!(text.contains("match = [\"good-2\", \"good-3\"]\n"), "{text}");
    let book = PriceBook::parse(&text, "p").unwrap();
    for (name, id) in [("good-1", "good-1"), ("good-2", "good"), ("good-3", "good")] {
        assert_eq!(&*book.find("p", name).unwrap().id, id);
    }
    // A match that is one name, given away.
    let (text, _) = one("[[models]]\nprovider = \"p\"\nid = \"a\"\nmatch = \"b\"\nfree = true\n", &super::merging::list("b", &cost("1", "2")));
    assert!(text.ends_with("id = \"a\"\nmatch = []\nfree = true\n"), "{text}");
}

#[test]
fn what_is_free_stays_free() {
    let (text, change) = one(BOOK, &list("family", &cost("0", "0.0")));
    assert_eq!((text.as_str(), change.as_str()), (BOOK, "same"));
}

#[test]
fn a_list_by_the_image_does_not_reprice_what_is_billed_by_the_token() {
    let (text, changes) = merged(
        "[[models]]\nprovider = \"openai\"\nid = \"painter\"\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n",
        LITELLM,
        &Selection { only: Some("painter".to_owned()), ..Selection::default() },
    );
    assert_eq!(changes, ["openai painter: left out, is billed by the token here, and by the image on the list"]);
    assert!(!text.contains("images"), "{text}");
    // By the pixel a list rounds: what is there already stays, unless it is further off.
    let book = |price: &str| {
        format!(
            "[[models]]\nprovider = \"openai\"\nid = \"dall-e-2\"\nprices = {{ images = [{{ size = \"256x256\", price = \"{price}\" }}, {{ size = \"1024x1024\", price = \"0.02\" }}] }}\n"
        )
    };
    let only = Selection { only: Some("dall-e-2".to_owned()), ..Selection::default() };
    assert_eq!(merged(&book("0.016"), LITELLM, &only), (book("0.016"), vec!["openai dall-e-2: same".to_owned()]));
    assert_eq!(merged(&book("0.018"), LITELLM, &only).1, ["openai dall-e-2: changed, 2 prices of images"]);
}

#[test]
fn limits_of_a_list_that_knows_the_input_alone() {
    let book = |limits: &str| format!("[[models]]\nprovider = \"openai\"\nid = \"gpt-x\"\n{limits}prices = {{ input_mtok = \"1\", output_mtok = \"2\" }}\n");
    let limits = |own: &str| {
        let (text, _) = merged(&book(own), LITELLM, &Selection { only: Some("gpt-x".to_owned()), ..Selection::default() });
        let limits = PriceBook::read(&text, "p").unwrap().1[0].limits;
        (limits.context, limits.input, limits.output)
    };
    assert_eq!(limits(""), (Some(272_000), None, Some(128_000)));
    assert_eq!(limits("context = 400000\n"), (Some(400_000), Some(272_000), Some(128_000)));
    assert_eq!(limits("context = 100000\nmax_output = 5\n"), (Some(272_000), None, Some(128_000)));
    assert_eq!(limits("context = 272000\nmax_input = 100\n"), (Some(272_000), Some(272_000), Some(128_000)));
}

#[test]
fn a_price_book_that_is_wrong_is_not_merged_into() {
    let errors = merge("[[models]]\nprovider = 3\n", "p.toml", List::parse(LITELLM).unwrap(), now()).unwrap_err();
    assert_eq!(errors[0].to_string(), "p.toml:1:1: the model has no id");
    // Right, but not written as tables: no line can be added to it.
    let inline = "models = [{ provider = \"p\", id = \"m\", free = true }]\n";
    let errors = merge(inline, "p.toml", List::parse(LITELLM).unwrap(), now()).unwrap_err();
    assert_eq!(errors[0].to_string(), "p.toml:1:11: a list can be merged only into models that are tables of their own, each under [[models]]");
}

/// Everything in the price book that is built in can be written as a table and read again; and lists merge into it.
#[test]
fn the_built_in_price_book_can_be_written_and_merged_into() {
    let (_, models) = PriceBook::read(PriceBook::BUILTIN, "p").unwrap();
    for model in &models {
        let Worth::Terms(terms) = &model.worth else { continue };
        let text = edit::table(&model.provider, &model.id, &[], &model.limits, terms);
        let (_, again) = PriceBook::read(&text, "p").unwrap_or_else(|errors| panic!("{text}{errors:?}"));
        assert_eq!((&again[0].limits, &again[0].worth), (&model.limits, &model.worth), "{text}");
    }
    for list in [LITELLM, FACTS] {
        let (text, changes) = merged(PriceBook::BUILTIN, list, &Selection::default());
        assert!(changes.iter().any(|change| change.contains(": added, ")));
        let (again, changes) = merged(&text, list, &Selection::default());
        assert!(again == text && !changes.iter().any(|change| change.contains(": added, ") || change.contains(": changed, ")), "{changes:?}");
    }
}
