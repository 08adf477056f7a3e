//! Reads answers that are audio, as bytes or as events.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::ask::bills_characters;
use super::sound::{Sound, TOKENS_PER_SECOND};
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::openai::usage::{count, optional};
use crate::apis::{Ask, Measured, Meter};
use crate::prices::{Unit, Usage};

/// An incomplete event that is longer has audio in it.
const MAY_BE_LAST: usize = 4 << 10;

/// Meters audio that comes as it is. Bytes pass as they come, but for the very last one, which is kept back until the charge is durable.
pub(super) struct SoundMeter {
    characters: Option<u64>,
    sound: Sound,
    last: Option<Bytes>,
    ended: bool,
}

/// Meters audio in events.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads its events.
pub(super) struct Reader {
    characters: Option<u64>,
    sound: Sound,
    /// Bytes that could not be read.
    unread: u64,
    usage: Option<Usage>,
    absurd: bool,
}

/// What an event says.
#[derive(Default)]
struct Event {
    done: bool,
    audio: Option<Vec<u8>>,
    usage: Option<Reported>,
}

#[derive(Default)]
struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    broken: bool,
}

/// The characters that were asked for, where they are what is billed.
fn characters(ask: &Ask) -> Option<u64> {
    bills_characters(&ask.model).then(|| ask.bound.input.get(Unit::Characters))
}

fn of_characters(characters: u64) -> Usage {
    Usage::default().with(Unit::Characters, characters)
}

// === impl SoundMeter ===

impl SoundMeter {
    pub(super) fn new(ask: &Ask) -> Self {
        Self { characters: characters(ask), sound: Sound::default(), last: None, ended: false }
    }
}

impl Meter for SoundMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if chunk.is_empty() {
            return;
        }
        self.sound.feed(&chunk);
        pass.extend(self.last.take());
        let all_but_one = chunk.len() - 1;
        if all_but_one > 0 {
            pass.push(chunk.slice(..all_but_one));
        }
        self.last = Some(chunk.slice(all_but_one..));
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        self.last.take().into_iter().collect()
    }

    fn measured(&self) -> Measured {
        Measured {
            // Characters are billed when the text is taken, however much of it is heard.
            usage: self.characters.map(of_characters),
            complete: self.ended || self.characters.is_some(),
            served_output: self.sound.tokens(),
            ..Measured::default()
        }
    }

    fn served_output(&self) -> u64 {
        self.sound.tokens()
    }
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn speech(ask: &Ask) -> Self {
        Self::new(Reader { characters: characters(ask), sound: Sound::default(), unread: 0, usage: None, absurd: false })
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        let Ok(event) = Event::read(data) else {
            self.unread(data.len() as u64);
            return Verdict::Pass;
        };
        match event.audio {
            Some(audio) => self.sound.feed(&audio),
            None if event.done => {}
            // What is not known may be audio.
            None => self.unread(data.len() as u64),
        }
        if let Some(reported) = event.usage {
            self.usage = reported.usage();
            self.absurd = self.usage.is_none();
        }
        if event.done { Verdict::Last } else { Verdict::Pass }
    }

    fn unread(&mut self, bytes: u64) {
        self.unread = self.unread.saturating_add(bytes);
    }

    fn measured(&self, done: bool) -> Measured {
        let told = self.usage.or_else(|| self.characters.map(of_characters)).filter(|_| !self.absurd);
        Measured { usage: told, absurd: self.absurd, complete: done || self.characters.is_some(), served_output: self.served_output(), ..Measured::default() }
    }

    fn served_output(&self) -> u64 {
        // No speech is coded in fewer than a thousand bytes a second.
        self.sound.tokens().saturating_add(self.unread.saturating_mul(TOKENS_PER_SECOND).div_ceil(1_000))
    }
}

// === impl Event ===

impl Event {
    fn read(data: &[u8]) -> Result<Self, JsonError> {
        let mut event = Self::default();
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, member| match member.key.raw() {
            b"type" if scanner.kind()? == Kind::String => {
                event.done = scanner.string()?.raw() == b"speech.audio.done";
                Ok(())
            }
            b"audio" | b"delta" if scanner.kind()? == Kind::String => {
                event.audio = STANDARD.decode(scanner.string()?.raw()).ok();
                Ok(())
            }
            b"usage" if scanner.kind()? == Kind::Object => {
                event.usage = Some(Reported::read(scanner)?);
                Ok(())
            }
            _ => scanner.skip(),
        })?;
        scanner.finish()?;
        Ok(event)
    }
}

// === impl Reported ===

impl Reported {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, JsonError> {
        let range = scanner.value()?;
        Ok(Self::parse(scanner.slice(range)).unwrap_or(Self { broken: true, ..Self::default() }))
    }

    fn parse(raw: &[u8]) -> Result<Self, JsonError> {
        let mut reported = Self::default();
        let mut beside = 0;
        Scanner::lenient(raw).object(|scanner, member| match member.key.raw() {
            b"input_tokens" => optional(scanner).map(|count| reported.input = count),
            b"output_tokens" => optional(scanner).map(|count| reported.output = count),
            b"total_tokens" => count(scanner, &mut beside),
            _ => scanner.skip(),
        })?;
        Ok(reported)
    }

    fn usage(&self) -> Option<Usage> {
        let (Some(input), Some(output), false) = (self.input, self.output, self.broken) else { return None };
        Some(Usage::default().with(Unit::Input, input).with(Unit::OutputAudio, output))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
