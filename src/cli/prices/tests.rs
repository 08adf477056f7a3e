use super::*;
use crate::cli::{Cli, Command};
use clap::Parser;
use jiff::Timestamp;

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn action(line: &str) -> PricesAction {
    let parsed = Cli::try_parse_from(["spendgate", "prices"].into_iter().chain(line.split(' '))).unwrap();
    let Some(Command::Prices(args)) = parsed.command else { panic!("not of prices") };
    args.action
}

const BOOK: &str = "\
[[models]]
provider = \"p\"
id = \"m\"
match = [{ starts_with = \"m-\" }]
context = 8000
max_output = 1000
prices = [
  { input_mtok = { base = \"1\", tiers = [{ above_input_tokens = 4000, price = \"2\" }] }, output_mtok = \"4\", audio_hours = \"0.36\" },
  { from = 2026-11-01, input_mtok = \"0.5\", output_mtok = \"2\", images = [{ size = \"1x1\", price = \"0.04\" }] },
  { from = 2026-11-01, time_of_day_utc = [\"16:30\", \"00:30\"], input_mtok = \"0.25\", output_mtok = \"1\" },
  { when = { service_tier = \"flex\" }, input_mtok = \"0.5\", output_mtok = \"2\" },
]

[[models]]
provider = \"q\"
id = \"m-q\"
free = true

[[models]]
provider = \"q\"
id = \"m-\"
unpriced = \"nobody knows\"
";

fn book() -> BookFile {
    BookFile { path: "p.toml".into(), name: "p.toml".to_owned(), text: BOOK.to_owned(), builtin: false }
}

fn show(line: &str) -> Output {
    let PricesAction::Show(args) = action(line) else { panic!("not show") };
    args.show(&book(), now())
}

#[test]
fn a_model_is_shown_with_every_price() {
    let expected = "\
m-large is m of p (p.toml:1)
context 8000, max_output 1000

 CASE                   SINCE       HOURS UTC       IN FORCE  WHAT                             USD   PER
 usual                                                        input                            1     million tokens
                                                              input (above 4000 input tokens)  2     million tokens
                                                              output                           4     million tokens
                                                              audio_millis                     0.36  hour
 usual                  2026-11-01                  yes       input                            0.5   million tokens
                                                              output                           2     million tokens
                                                              images 1x1                       0.04  image
 usual                  2026-11-01  16:30 to 00:30            input                            0.25  million tokens
                                                              output                           1     million tokens
 service_tier = \"flex\"                              yes       input                            0.5   million tokens
                                                              output                           2     million tokens
";
    let output = show("show m-large");
    assert_eq!(output.result, expected, "{}", output.result);
    assert_eq!((output.hint.as_str(), output.exit), ("", 0));
}

#[test]
fn a_name_of_several_providers_is_shown_for_each_or_for_the_one_asked_for() {
    assert_eq!(show("show m-q --provider q").result, "m-q is m-q of q (p.toml:14)\nlimits unknown\n\nfree: it costs nothing\n");
    assert_eq!(show("show m- --provider q").result, "m- is m- of q (p.toml:19)\nlimits unknown\n\nunpriced, requests are refused: nobody knows\n");
    let both = show("show m-q").result;
    assert!(both.starts_with("m-q is m of p (p.toml:1)\n") && both.contains("\n\nm-q is m-q of q (p.toml:14)\n"), "{both}");
    let unknown = show("show M --provider p");
    assert_eq!((unknown.result.as_str(), unknown.exit), ("", 1));
    assert_eq!(unknown.hint, "No model of p has the name \"M\": a request for it is refused. Near it: m of p.\n");
    assert_eq!(show("show zzz").hint, "No model has the name \"zzz\": a request for it is refused.\n");
}

#[test]
fn a_model_is_shown_as_json() {
    let shown: serde_json::Value = serde_json::from_str(&show("show m-large --json").result).unwrap();
    let model = &shown[0];
    assert_eq!((&model["provider"], &model["id"], &model["line"], &model["max_output"]), (&"p".into(), &"m".into(), &1.into(), &1000.into()));
    let entries = model["entries"].as_array().unwrap();
    let in_force: Vec<bool> = entries.iter().map(|entry| entry["in_force"].as_bool().unwrap()).collect();
    assert_eq!(in_force, [false, true, false, true]);
    let expected =
        serde_json::json!({ "unit": "input", "key": "input_mtok", "usd": "2", "per": 1_000_000, "above_input_tokens": 4000, "size": null, "quality": null });
    assert_eq!(entries[0]["prices"][1], expected);
    assert_eq!(entries[1]["prices"][2]["size"], "1x1");
    assert_eq!((&entries[2]["from"], &entries[2]["time_of_day_utc"]), (&"2026-11-01".into(), &serde_json::json!(["16:30", "00:30"])));
    assert_eq!(entries[3]["case"], "service_tier = \"flex\"");
    let free: serde_json::Value = serde_json::from_str(&show("show m-q --provider q --json").result).unwrap();
    assert_eq!((&free[0]["free"], &free[0]["unpriced"], free[0].get("entries")), (&true.into(), &serde_json::Value::Null, None));
}

#[test]
fn a_price_book_is_checked() {
    let output = check::check(&book(), now());
    assert_eq!(output.exit, 0);
    assert_eq!(output.result, "p.toml: 2 models priced (price book 3b4900730dbf): all right\n");
    let odd = BookFile { text: BOOK.replace("id = \"m\"\n", "id = \"m\"\nmax_input = 9000\n"), ..book() };
    let output = check::check(&odd, now());
    assert_eq!(output.exit, 0);
    assert!(
        output.result.starts_with("p.toml:1:1: warning: \"m\" has a max_input of 9000, more than its context of 8000\np.toml: 2 models"),
        "{}",
        output.result
    );
    assert!(output.result.ends_with("): no mistakes, 1 warning\n"), "{}", output.result);
    let wrong = BookFile { text: "[[models]]\nprovider = \"p\"\nid = \"m\"\nprices = { input_mtok = 1 }\n".to_owned(), ..book() };
    let output = check::check(&wrong, now());
    assert_eq!((output.result.as_str(), output.exit), ("", 1));
    assert_eq!(output.hint, "p.toml:4:25: must be an amount as a string, for example \"2.50\": write \"1\"\n");
    // Every command refuses it in the same words.
    let PricesAction::Show(args) = action("show m") else { panic!("not show") };
    assert_eq!(args.show(&wrong, now()), output);
}

/// A folder with a list, and a price book where one is given; and the import of that list.
struct Importing {
    folder: tempfile::TempDir,
}

impl Importing {
    fn new(list: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list.json"), list).unwrap();
        std::fs::write(folder.path().join("prices.toml"), BOOK).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, options: &str) -> anyhow::Result<Output> {
        let options = options.replace("OUT", &self.path("out.toml").display().to_string());
        let line = format!("import {}{options}", self.path("list.json").display());
        let PricesAction::Import(args) = action(&line) else { panic!("not import") };
        args.import(&BookFile::at(self.path("prices.toml")).unwrap(), now())
    }
}

const LIST: &str = r#"{"p": {"models": {"m": {"cost": {"input": 0.75, "output": 2}}, "new": {"cost": {"input": 1, "output": 2}}, "gift": {"cost": {"input": 0, "output": 0}}}}}"#;

#[test]
fn an_import_says_what_changed_and_writes_it() {
    let importing = Importing::new(LIST);
    let output = importing.run("").unwrap();
    let expected = "\
\x20CHANGE    PROVIDER  MODEL  WHAT
 left out  p         gift   costs nothing on the list: --free takes it
 changed   p         m      from 2026-11-01: input_mtok 0.5 -> 0.75; as before: service_tier = \"flex\"
 added     p         new    input_mtok 1, output_mtok 2
";
    assert_eq!(output.result, expected, "{}", output.result);
    let path = importing.path("prices.toml");
    assert_eq!(
        output.hint,
        format!(
            "models.dev's list: 1 added, 1 changed, 0 as they were, 1 left out.\nWritten to {}. A gateway that reads it takes it within seconds.\n",
            path.display()
        )
    );
    assert!(PriceBook::parse(&importing.text("prices.toml"), "p").unwrap().find("p", "new").is_some());
    assert_eq!(std::fs::read_dir(importing.folder.path()).unwrap().count(), 2, "nothing else is left in the folder");
    // Once more there is nothing to do, and nothing is written.
    let written = importing.text("prices.toml");
    let output = importing.run("").unwrap();
    assert!(output.hint.ends_with(&format!("Nothing changes in {}.\n", path.display())), "{}", output.hint);
    assert_eq!(importing.text("prices.toml"), written);
}

#[test]
fn an_import_can_go_elsewhere_or_nowhere() {
    let importing = Importing::new(LIST);
    let output = importing.run(" --dry-run").unwrap();
    assert!(output.hint.ends_with("Nothing is written.\n") && output.result.contains("added"), "{}", output.hint);
    assert_eq!(importing.text("prices.toml"), BOOK);
    importing.run(" --out OUT --free --only g* --provider p").unwrap();
    assert_eq!(importing.text("prices.toml"), BOOK);
    assert!(importing.text("out.toml").contains("id = \"gift\"\nfree = true\n"));
    let none = importing.run(" --provider nobody").unwrap();
    assert_eq!((none.result.as_str(), none.exit), ("", 0));
}

#[cfg(unix)]
#[test]
fn the_file_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::PermissionsExt;

    let importing = Importing::new(LIST);
    let real = importing.path("real.toml");
    std::fs::rename(importing.path("prices.toml"), &real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.toml", importing.path("prices.toml")).unwrap();
    importing.run("").unwrap();
    assert!(std::fs::symlink_metadata(importing.path("prices.toml")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read_to_string(&real).unwrap().contains("\"new\""));
}

#[test]
fn what_is_no_list_is_refused_and_the_price_book_stays() {
    for list in ["", "no json", "{}", BOOK] {
        let importing = Importing::new(list);
        let error = importing.run("").unwrap_err().to_string();
        assert!(error.contains("list.json is "), "{error}");
        assert_eq!(importing.text("prices.toml"), BOOK);
    }
    let importing = Importing::new(LIST);
    std::fs::write(importing.path("prices.toml"), "[[models]]\nprovider = 1\n").unwrap();
    let output = importing.run("").unwrap();
    assert_eq!((output.exit, output.result.as_str()), (1, ""));
    assert!(output.hint.contains("prices.toml:1:1: the model has no id"), "{}", output.hint);
}
