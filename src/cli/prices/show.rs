//! `spendgate prices show`: which entry of the price book a name means, and what it says.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{BookFile, refused};
use crate::cli::Output;
use crate::cli::usage::plain_table;
use crate::config::SettingsArgs;
use crate::diagnostic::Diagnostic;
use crate::prices::{FileModel, PriceBook, PriceRow, Terms, Unit, Worth, in_force};

/// Arguments of `spendgate prices show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Where the price book is.
    #[command(flatten)]
    settings: SettingsArgs,
    /// The model's name, as a client would ask for it
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// Only this provider's (`provider` in routes.toml) [default: every one that knows the name]
    #[arg(long)]
    pub provider: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Names that are near a name that is not known, at most.
const MOST_NEAR: usize = 8;

// === impl ShowArgs ===

impl ShowArgs {
    /// Does it.
    ///
    /// # Errors
    /// When the price book cannot be read.
    pub fn run(self) -> anyhow::Result<Output> {
        let file = BookFile::of_settings(&self.settings)?;
        Ok(self.show(&file, Timestamp::now()))
    }

    pub(super) fn show(&self, file: &BookFile, now: Timestamp) -> Output {
        let (book, models) = match PriceBook::read(&file.text, &file.name) {
            Ok(read) => read,
            Err(errors) => return refused(&errors),
        };
        let mut providers: Vec<&str> = book.providers().filter(|name| self.provider.as_ref().is_none_or(|only| only == name)).collect();
        providers.sort_unstable();
        let found: Vec<&FileModel> = providers.iter().filter_map(|provider| book.number_of(provider, &self.model)).filter_map(|at| models.get(at)).collect();
        if found.is_empty() {
            return self.unknown(&models);
        }
        if self.json {
            let all: Vec<Value> = found.iter().map(|model| self.as_json(model, file, now)).collect();
            return Output::of(format!("{:#}", Value::from(all)));
        }
        Output::of(found.iter().map(|model| self.as_text(model, file, now)).collect::<Vec<_>>().join("\n\n"))
    }

    fn unknown(&self, models: &[FileModel]) -> Output {
        let wanted = self.model.to_lowercase();
        let near = |model: &&FileModel| self.provider.as_ref().is_none_or(|only| *only == model.provider) && model.id.to_lowercase().contains(&wanted);
        let near: Vec<String> = models.iter().filter(near).take(MOST_NEAR).map(|model| format!("{} of {}", model.id, model.provider)).collect();
        let of = self.provider.as_ref().map_or_else(String::new, |provider| format!(" of {provider}"));
        let near = if near.is_empty() { String::new() } else { format!(" Near it: {}.", near.join(", ")) };
        Output { hint: format!("No model{of} has the name {:?}: a request for it is refused.{near}\n", self.model), exit: 1, ..Output::default() }
    }

    fn as_text(&self, model: &FileModel, file: &BookFile, now: Timestamp) -> String {
        let place = Diagnostic::at(&file.name, &file.text, model.offset(), "");
        let mut text = format!("{} is {} of {} ({}:{})\n", self.model, model.id, model.provider, place.file, place.line);
        let limits = [("context", model.limits.context), ("max_input", model.limits.input), ("max_output", model.limits.output)];
        let limits: Vec<String> = limits.iter().filter_map(|(name, limit)| limit.map(|limit| format!("{name} {limit}"))).collect();
        text.push_str(&if limits.is_empty() { "limits unknown".to_owned() } else { limits.join(", ") });
        text.push_str("\n\n");
        match &model.worth {
            Worth::Terms(list) => text.push_str(&table(list, now)),
            Worth::Free => text.push_str("free: it costs nothing"),
            Worth::Unpriced(why) => text.push_str(&format!("unpriced, requests are refused: {why}")),
            Worth::Wrong => {}
        }
        text
    }

    fn as_json(&self, model: &FileModel, file: &BookFile, now: Timestamp) -> Value {
        let place = Diagnostic::at(&file.name, &file.text, model.offset(), "");
        let mut value = json!({
            "name": self.model,
            "provider": model.provider,
            "id": model.id,
            "file": place.file,
            "line": place.line,
            "context": model.limits.context,
            "max_input": model.limits.input,
            "max_output": model.limits.output,
            "free": model.worth == Worth::Free,
            "unpriced": if let Worth::Unpriced(why) = &model.worth { Some(why) } else { None },
        });
        let Worth::Terms(list) = &model.worth else { return value };
        let prices = |terms: &Terms| -> Vec<Value> { terms.rows().into_iter().map(row_json).collect() };
        let entries = list.iter().map(|terms| {
            json!({
                "case": terms.case(),
                "from": terms.since(),
                "time_of_day_utc": terms.hours(),
                "in_force": in_force(list, terms, now),
                "prices": prices(terms),
            })
        });
        if let Value::Object(fields) = &mut value {
            fields.insert("entries".to_owned(), entries.collect());
        }
        value
    }
}

fn row_json(row: PriceRow) -> Value {
    json!({
        "unit": row.unit.name(),
        "key": row.key,
        "usd": row.usd,
        "per": u64::try_from(row.per).unwrap_or(u64::MAX),
        "above_input_tokens": row.above_input_tokens,
        "size": row.size,
        "quality": row.quality,
    })
}

fn table(list: &[Terms], now: Timestamp) -> String {
    let mut table = plain_table();
    table.set_header(["CASE", "SINCE", "HOURS UTC", "IN FORCE", "WHAT", "USD", "PER"]);
    for terms in list {
        let hours = terms.hours().map_or_else(String::new, |[begin, end]| format!("{begin} to {end}"));
        let in_force = if in_force(list, terms, now) { "yes" } else { "" };
        // The case is told once, on its first line.
        let mut case = Some([terms.case(), terms.since().unwrap_or_default(), hours, in_force.to_owned()]);
        for row in terms.rows() {
            let case = case.take().unwrap_or_default();
            table.add_row(case.into_iter().chain([what(&row), row.usd, per(row.unit).to_owned()]));
        }
    }
    table.trim_fmt()
}

fn what(row: &PriceRow) -> String {
    let mut what = row.unit.name().to_owned();
    if let Some(above) = row.above_input_tokens {
        what.push_str(&format!(" (above {above} input tokens)"));
    }
    for part in [&row.size, &row.quality].into_iter().flatten() {
        what.push_str(&format!(" {part}"));
    }
    what
}

/// What an amount is for, in words.
const fn per(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests => "thousand requests",
        Unit::WebSearches | Unit::StorageSearches => "thousand searches",
        Unit::SearchUnits => "thousand search units",
        Unit::Pages => "thousand pages",
        Unit::AudioMillis => "hour",
        Unit::Characters => "million characters",
        Unit::Images => "image",
        _ => "million tokens",
    }
}
