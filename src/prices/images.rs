//! Images that are priced by the piece: which kind of image a usage counts, and what one of that kind costs.

/// Which images a request is about: their size and quality as the provider names them, as far as they are known.
///
/// It is small and copied, so that a [`Usage`](super::Usage) can carry it along. All images of one request are of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageKind {
    size: Option<ImageWord>,
    quality: Option<ImageWord>,
}

/// The longest name of a size or a quality, in bytes: `1024x1024`, `standard`.
const LONGEST: usize = 16;

/// The name of a size or a quality, filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImageWord([u8; LONGEST]);

/// What one image of some kind costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ImagePrice {
    /// None: any size.
    pub(super) size: Option<ImageWord>,
    /// None: any quality.
    pub(super) quality: Option<ImageWord>,
    /// Atoms for one image.
    pub(super) rate: u128,
}

// === impl ImageKind ===

impl ImageKind {
    /// The kind by the names that the client or the provider uses. What is left to the provider (`None`, `auto`) is unknown.
    #[must_use]
    pub fn new(size: Option<&str>, quality: Option<&str>) -> Self {
        let word = |name: Option<&str>| name.filter(|name| *name != "auto").map(|name| ImageWord::new(name).unwrap_or(ImageWord::UNLISTED));
        Self { size: word(size), quality: word(quality) }
    }
}

// === impl ImageWord ===

impl ImageWord {
    /// A name that stands on no list: it is no UTF-8.
    const UNLISTED: Self = Self([0xff; LONGEST]);

    /// None where it is empty, too long, or holds what fills names up.
    pub(super) fn new(name: &str) -> Option<Self> {
        if name.contains('\0') || name.is_empty() {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// The name.
    pub(super) fn as_str(&self) -> &str {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(LONGEST);
        self.0.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

// === impl ImagePrice ===

impl ImagePrice {
    /// One price for all images.
    pub(super) const fn of_any(rate: u128) -> Self {
        Self { size: None, quality: None, rate }
    }

    /// How much of a kind it names: what names more goes before what names less.
    fn names(&self) -> u8 {
        u8::from(self.size.is_some()) + u8::from(self.quality.is_some())
    }
}

/// Atoms for one image of that kind: the dearest that it may turn out to be. None where no price is for it.
pub(super) fn dearest(prices: &[ImagePrice], kind: ImageKind) -> Option<u128> {
    // What the provider chooses is one of the names on the list, or one that is not.
    let sizes = || prices.iter().filter_map(|price| price.size).chain([ImageWord::UNLISTED]);
    let qualities = || prices.iter().filter_map(|price| price.quality).chain([ImageWord::UNLISTED]);
    match (kind.size, kind.quality) {
        (Some(size), Some(quality)) => of(prices, size, quality),
        (Some(size), None) => qualities().filter_map(|quality| of(prices, size, quality)).max(),
        (None, Some(quality)) => sizes().filter_map(|size| of(prices, size, quality)).max(),
        (None, None) => sizes().flat_map(|size| qualities().filter_map(move |quality| of(prices, size, quality))).max(),
    }
}

/// The price of images whose size and quality are known: the one that names most of both, and of two such the dearer.
fn of(prices: &[ImagePrice], size: ImageWord, quality: ImageWord) -> Option<u128> {
    let matches = |price: &&ImagePrice| price.size.is_none_or(|own| own == size) && price.quality.is_none_or(|own| own == quality);
    prices.iter().filter(matches).max_by_key(|price| (price.names(), price.rate)).map(|price| price.rate)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
