//! Log lines in JSON, one object a line: `timestamp`, `level`, then what the event says, in its order.
//!
//! The general formatter of the subscriber goes through a serializer for each of these, a tenth of all that a request costs. There are no spans to show here.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLines;

/// Writes the fields of one event. A line is put together here and handed over whole: the subscriber's writer is behind a pointer, a call for each piece.
struct Members<'line> {
    line: &'line mut String,
    result: fmt::Result,
}

/// Writes text as a part of a string.
struct Escaped<'line>(&'line mut String);

/// What a line usually has room in.
const USUAL_LINE: usize = 512;

// === impl JsonLines ===

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut whole = String::with_capacity(USUAL_LINE);
        whole.push_str("{\"timestamp\":\"");
        SystemTime.format_time(&mut Writer::new(&mut whole))?;
        whole.push_str("\",\"level\":\"");
        whole.push_str(event.metadata().level().as_str());
        whole.push('"');
        let mut members = Members { line: &mut whole, result: Ok(()) };
        event.record(&mut members);
        members.result?;
        whole.push_str("}\n");
        line.write_str(&whole)
    }
}

// === impl Members ===

impl Members<'_> {
    fn member(&mut self, field: &Field, write: impl FnOnce(&mut String) -> fmt::Result) {
        let name = field.name();
        // Where a line of the `log` facade stands in the source.
        if name.starts_with("log.") {
            return;
        }
        self.result = self.result.and_then(|()| {
            self.line.push_str(",\"");
            self.line.push_str(name.strip_prefix("r#").unwrap_or(name));
            self.line.push_str("\":");
            write(self.line)
        });
    }

    fn text(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        self.member(field, |line| {
            line.push('"');
            write(&mut Escaped(line))?;
            line.push('"');
            Ok(())
        });
    }
}

impl Visit for Members<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |text| text.write_str(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |line| line.write_str(if value { "true" } else { "false" }));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // What is not finite is no number in JSON.
        self.member(field, |line| if value.is_finite() { write!(line, "{value}") } else { line.write_str("null") });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, |text| write!(text, "{value:?}"));
    }
}

// === impl Escaped ===

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let short = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=0x1f => "",
                _ => continue,
            };
            // These bytes are characters of their own: no other is cut.
            self.0.push_str(text.get(plain..at).unwrap_or_default());
            plain = at + 1;
            match short {
                "" => write!(self.0, "\\u{byte:04x}")?,
                short => self.0.push_str(short),
            }
        }
        self.0.push_str(text.get(plain..).unwrap_or_default());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written for events: one value a line, without its time.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let seen = Seen::default();
        let writer = seen.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(JsonLines).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let text = String::from_utf8(seen.0.lock().unwrap().clone()).unwrap();
        let without_time = |line: &str| {
            let mut value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let time = value.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
            value
        };
        text.lines().map(without_time).collect()
    }

    #[test]
    fn every_kind_of_field_is_json() {
        let none: Option<u64> = None;
        let seen = lines(|| {
            tracing::info!(
                text = "plain",
                shown = %"shown",
                debug = ?["a"],
                yes = true,
                count = u64::MAX,
                below = -1,
                part = 0.5,
                nothing = f64::NAN,
                r#type = "word",
                none,
                "hello {}",
                "you"
            );
            tracing::warn!("alone");
        });
        assert_eq!(
            seen,
            [
                json!({
                    "level": "INFO", "message": "hello you", "text": "plain", "shown": "shown", "debug": "[\"a\"]", "yes": true, "count": u64::MAX, "below": -1,
                    "part": 0.5, "nothing": null, "type": "word"
                }),
                json!({"level": "WARN", "message": "alone"}),
            ]
        );
    }

    #[test]
    fn any_text_is_one_line_of_json() {
        let every: String = (0..0x250).filter_map(char::from_u32).chain("\u{2028}\u{feff}😀\u{10ffff}".chars()).collect();
        let seen = lines(|| tracing::error!(text = every, shown = %every, debug = ?every, "{every}"));
        assert_eq!(seen, [json!({"level": "ERROR", "message": every, "text": every, "shown": every, "debug": format!("{every:?}")})]);
    }
}
