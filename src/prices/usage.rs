//! Usage: what the provider says was consumed, in disjoint classes.

use super::ImageKind;

/// A class of consumption. The classes are disjoint: a cached input token counts in `CacheRead` and not in `Input`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Unit {
    /// Requests, for prices by request.
    Requests,
    /// Input tokens that no other class holds.
    Input,
    /// Input tokens read from the provider's cache.
    CacheRead,
    /// Input tokens written to the provider's cache for its usual time.
    CacheWrite,
    /// Input tokens written to the provider's cache for an hour.
    CacheWrite1h,
    /// Input tokens of audio.
    InputAudio,
    /// Input tokens of audio, read from the provider's cache.
    CacheAudioRead,
    /// Input tokens of images.
    InputImage,
    /// Input tokens of images, read from the provider's cache.
    CacheImageRead,
    /// Input tokens of video.
    InputVideo,
    /// Output tokens that no other class holds.
    Output,
    /// Output tokens spent on reasoning, where they have a price of their own.
    OutputReasoning,
    /// Output tokens of audio.
    OutputAudio,
    /// Output tokens of images.
    OutputImage,
    /// Output tokens of video.
    OutputVideo,
    /// Web searches.
    WebSearches,
    /// Searches of stored files.
    StorageSearches,
    /// Milliseconds of audio.
    AudioMillis,
    /// Characters of text.
    Characters,
    /// Pages of documents.
    Pages,
    /// Search units of a rerank: a query with up to a hundred documents.
    SearchUnits,
    /// Images by the piece; see [`Usage::with_images`].
    Images,
}

/// Counts for each [`Unit`], and which images are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    counts: [u64; Unit::ALL.len()],
    image_kind: ImageKind,
}

// === impl Unit ===

impl Unit {
    /// Every class, in the order of its number.
    pub const ALL: [Self; 22] = [
        Self::Requests,
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::CacheAudioRead,
        Self::InputImage,
        Self::CacheImageRead,
        Self::InputVideo,
        Self::Output,
        Self::OutputReasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
        Self::WebSearches,
        Self::StorageSearches,
        Self::AudioMillis,
        Self::Characters,
        Self::Pages,
        Self::SearchUnits,
        Self::Images,
    ];

    /// Its name in the journal, in reports and as the metric label `class`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::CacheAudioRead => "cache_audio_read",
            Self::InputImage => "input_image",
            Self::CacheImageRead => "cache_image_read",
            Self::InputVideo => "input_video",
            Self::Output => "output",
            Self::OutputReasoning => "output_reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::OutputVideo => "output_video",
            Self::WebSearches => "web_searches",
            Self::StorageSearches => "storage_searches",
            Self::AudioMillis => "audio_millis",
            Self::Characters => "characters",
            Self::Pages => "pages",
            Self::SearchUnits => "search_units",
            Self::Images => "images",
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

// === impl Usage ===

impl Usage {
    /// How many of one class.
    #[must_use]
    pub const fn get(&self, unit: Unit) -> u64 {
        self.counts[unit as usize]
    }

    /// Sets the count of one class.
    pub const fn set(&mut self, unit: Unit, count: u64) {
        self.counts[unit as usize] = count;
    }

    /// The same usage with one class set.
    #[must_use]
    pub const fn with(mut self, unit: Unit, count: u64) -> Self {
        self.set(unit, count);
        self
    }

    /// The same usage with so many images of that kind. The ledger keeps their count; their kind is for prices alone.
    #[must_use]
    pub const fn with_images(mut self, count: u64, kind: ImageKind) -> Self {
        self.set(Unit::Images, count);
        self.image_kind = kind;
        self
    }

    /// Which images [`Unit::Images`] counts.
    #[must_use]
    pub const fn image_kind(&self) -> ImageKind {
        self.image_kind
    }

    /// The classes that are not zero.
    pub fn iter(&self) -> impl Iterator<Item = (Unit, u64)> + '_ {
        Unit::ALL.into_iter().map(|unit| (unit, self.get(unit))).filter(|(_, count)| *count > 0)
    }

    /// All input tokens, whatever their class: what tiers by input length go by.
    #[must_use]
    pub fn input_tokens(&self) -> u64 {
        [
            Unit::Input,
            Unit::CacheRead,
            Unit::CacheWrite,
            Unit::CacheWrite1h,
            Unit::InputAudio,
            Unit::CacheAudioRead,
            Unit::InputImage,
            Unit::CacheImageRead,
            Unit::InputVideo,
        ]
        .into_iter()
        .fold(0, |sum, unit| sum.saturating_add(self.get(unit)))
    }
}
