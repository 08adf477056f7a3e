//! The most that a request can cost, before it is sent; and the other way round, the output limit that an amount buys.
//!
//! The bound is a straight line, `fixed + limit x slope`, in atoms: for every class the dearest of all that it may be billed as. So it holds whatever mix the
//! provider reports, and it can be turned round exactly.

use super::keys::ATOMS_PER_NANO;
use super::{Margin, ModelLimits, PriceError, Rates, Unit, Usage};
use crate::money::Usd;

/// What a request can consume at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Whatever the output limit is. `Input` stands for all text tokens: they may come back as read from or written to the cache. A request that asks for
    /// hour-long cache writes counts them as `CacheWrite1h` instead. Audio, image and video tokens may come back as text. Output classes count on top of the limit.
    /// Images by the piece stand here too, with their kind: see [`Usage::with_images`].
    pub input: Usage,
    /// The output limit that was asked for, for each choice. None: not set by the client.
    pub output_tokens: Option<u64>,
    /// False where there is no output, for embeddings and the like.
    pub has_output: bool,
    /// How many answers are made (`n`, `best_of`, prompts): multiplies the output only. Zero counts as one.
    pub choices: u64,
    /// Web searches and the like, at most.
    pub max_searches: u64,
    /// Input that the request does not show, such as pages of documents and what tools read at the provider: so many times all that the model's
    /// context window holds. See [`Bound::with_window`].
    pub windows: u64,
    /// The window is at least this large, whatever the price book says: some requests widen it.
    pub widened_window: u64,
    /// Output limits below this make the request invalid.
    pub least_output: u64,
    /// The same work, counted in several ways: by the piece (images, seconds of audio, characters) and in tokens. The model's prices say which of them
    /// is billed: a class that they leave out costs nothing, as long as they have one of the others.
    pub as_priced: bool,
}

/// What the route says about output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteLimits {
    /// Output tokens for each choice below which a request is not worth sending: 16.
    pub min_output: u64,
    /// The limit that is assumed where neither the client nor the price book gives one.
    pub default_max_output: Option<u64>,
    /// Whether the output limit may be lowered to what the balance buys.
    pub clamp: bool,
}

/// An ask, priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The most it can cost as asked; [`Usd::MAX`] where it is more than can be counted.
    pub want: Usd,
    /// The least worth sending. At most `want`.
    pub least: Usd,
    /// Atoms, whatever the output limit is.
    fixed: u128,
    /// Atoms for each token of the limit, over all choices.
    slope: u128,
    /// The limit for each choice that `want` assumes.
    max_output: Option<u64>,
}

/// What a token may be billed as: text, then its own kind.
const TEXT: [Unit; 3] = [Unit::Input, Unit::CacheRead, Unit::CacheWrite];
/// What an output token may be billed as. A model may make images or think without being asked to, so all count that it has a price for.
const OUTPUT: [Unit; 5] = [Unit::Output, Unit::OutputReasoning, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo];

/// Prices an ask: the dearest over all `candidates`, which are the rates it may be billed at (service tiers, hours).
///
/// # Errors
/// [`PriceError::NoRates`] without candidates, [`PriceError::Unpriced`] where one of them lacks a price for what the bound allows,
/// [`PriceError::Unbounded`] where there is output that costs something and nothing limits it.
pub fn quote(candidates: &[&Rates], limits: &ModelLimits, bound: &Bound, route: &QuoteLimits) -> Result<Quote, PriceError> {
    if candidates.is_empty() {
        return Err(PriceError::NoRates);
    }
    let left_out = |unit: Unit| bound.as_priced && unit != Unit::Requests && candidates.iter().all(|rates| rates.dearest(unit, &bound.input).is_none());
    // The dearest of a unit and of what it may be billed as instead; the unit itself must have a price in every candidate.
    let dearest = |unit: Unit, instead: &[&[Unit]]| -> Result<u128, PriceError> {
        let mut most = 0;
        for rates in candidates {
            let own = rates.dearest(unit, &bound.input).ok_or(PriceError::Unpriced(unit))?;
            let others = instead.iter().copied().flatten().filter_map(|other| rates.dearest(*other, &bound.input)).max();
            most = most.max(own).max(others.unwrap_or(0));
        }
        Ok(most)
    };
    let mut counts = bound.input.with(Unit::WebSearches, bound.input.get(Unit::WebSearches).max(bound.max_searches));
    counts.set(Unit::Requests, bound.input.get(Unit::Requests).max(1));
    if let Some((unit, _)) = bound.input.iter().next()
        && bound.input.iter().all(|(unit, _)| left_out(unit))
    {
        return Err(PriceError::Unpriced(unit));
    }
    let mut fixed: u128 = 0;
    for (unit, count) in counts.iter().filter(|(unit, _)| !left_out(*unit)) {
        let rate = match unit {
            Unit::Input | Unit::CacheRead | Unit::CacheWrite | Unit::CacheWrite1h => dearest(unit, &[&TEXT])?,
            // A film has sound, and may be read as single images.
            Unit::InputVideo => dearest(unit, &[&TEXT, &[Unit::InputAudio, Unit::CacheAudioRead, Unit::InputImage, Unit::CacheImageRead]])?,
            Unit::InputAudio | Unit::CacheAudioRead => dearest(unit, &[&TEXT, &[Unit::InputAudio, Unit::CacheAudioRead]])?,
            Unit::InputImage | Unit::CacheImageRead => dearest(unit, &[&TEXT, &[Unit::InputImage, Unit::CacheImageRead]])?,
            _ => dearest(unit, &[])?,
        };
        fixed = fixed.saturating_add(rate.saturating_mul(u128::from(count)));
    }
    let without_output = Quote { want: round_up(fixed), least: round_up(fixed), fixed, slope: 0, max_output: None };
    if !bound.has_output || left_out(Unit::Output) {
        return Ok(without_output);
    }
    let slope = dearest(Unit::Output, &[&OUTPUT])?.saturating_mul(u128::from(bound.choices.max(1)));
    // No model gives more than its context holds.
    let assumed = route.default_max_output.map(|assumed| limits.context.map_or(assumed, |context| assumed.min(context)));
    let Some(max_output) = bound.output_tokens.or(limits.output).or(assumed).or(limits.context) else {
        // Where output costs nothing, nothing needs to limit it.
        return if slope == 0 { Ok(without_output) } else { Err(PriceError::Unbounded) };
    };
    let least_output = if route.clamp { route.min_output.max(bound.least_output).min(max_output) } else { max_output };
    let mut quote = Quote { want: Usd::ZERO, least: Usd::ZERO, fixed, slope, max_output: Some(max_output) };
    quote.want = quote.cost_at(max_output);
    quote.least = quote.cost_at(least_output);
    Ok(quote)
}

// === impl Bound ===

impl Bound {
    /// The same bound with its `windows` counted as input, which stands for all of it: no prompt is longer than the window. Where there is any input of
    /// films or sound, the window may be full of it.
    ///
    /// # Errors
    /// [`PriceError::UnknownWindow`] where the model's context window is not known and counts.
    pub fn with_window(mut self, context: Option<u64>) -> Result<Self, PriceError> {
        if self.windows == 0 {
            return Ok(self);
        }
        let window = context.ok_or(PriceError::UnknownWindow)?.max(self.widened_window);
        let kinds = [Unit::InputVideo, Unit::InputAudio, Unit::CacheWrite1h];
        let unit = kinds.into_iter().find(|kind| self.input.get(*kind) > 0).unwrap_or(Unit::Input);
        self.input.set(unit, self.input.get(unit).max(window.saturating_mul(self.windows)));
        Ok(self)
    }

    /// The same bound where somebody has counted the text, and what the request does not show: so many tokens at most, in the class that they had.
    #[must_use]
    pub fn counted(mut self, tokens: u64) -> Self {
        let unit = if self.input.get(Unit::CacheWrite1h) > 0 { Unit::CacheWrite1h } else { Unit::Input };
        let most = if self.windows > 0 { u64::MAX } else { self.input.get(unit) };
        self.input.set(unit, tokens.min(most));
        self.windows = 0;
        self
    }
}

// === impl Quote ===

impl Quote {
    /// The most that the request can cost with that output limit for each choice; [`Usd::MAX`] where it is more than can be counted.
    #[must_use]
    pub fn cost_at(&self, output_limit: u64) -> Usd {
        round_up(self.fixed.saturating_add(self.slope.saturating_mul(u128::from(output_limit))))
    }

    /// The largest output limit for each choice with which the request costs at most `amount`: at most [`Quote::max_output`], and zero where not even the
    /// input is paid for or there is no output.
    #[must_use]
    pub fn output_limit_for(&self, amount: Usd) -> u64 {
        let most = self.max_output.unwrap_or(0);
        let atoms = u128::try_from(amount.nanos()).unwrap_or(0) * ATOMS_PER_NANO;
        // Rounding up to a nano-dollar stays within a whole number of them exactly where the sum before rounding does.
        let Some(left) = atoms.checked_sub(self.fixed) else { return 0 };
        left.checked_div(self.slope).map_or(most, |limit| u64::try_from(limit).unwrap_or(u64::MAX).min(most))
    }

    /// The same quote where the provider's bill may exceed the rates by so much.
    #[must_use]
    pub fn widened(mut self, margin: Margin) -> Self {
        if margin == Margin::NONE {
            return self;
        }
        let least = u128::try_from(self.least.nanos()).unwrap_or(0) * ATOMS_PER_NANO;
        self.fixed = margin.widen(self.fixed);
        self.slope = margin.widen(self.slope);
        self.want = if self.want == Usd::MAX { Usd::MAX } else { self.cost_at(self.max_output.unwrap_or(0)) };
        // Rounded up twice: by a nano-dollar or two more than it had to be, and never more than `want`.
        self.least = round_up(margin.widen(least)).min(self.want);
        self
    }

    /// The output limit for each choice that `want` assumes. None where there is no output, or it costs nothing and nothing limits it.
    #[must_use]
    pub const fn max_output(&self) -> Option<u64> {
        self.max_output
    }
}

fn round_up(atoms: u128) -> Usd {
    Usd::saturating_from_nanos(i128::try_from(atoms.div_ceil(ATOMS_PER_NANO)).unwrap_or(i128::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
