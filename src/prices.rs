//! The price book: what a model costs for each unit, how a request is bounded before it is sent and priced after it was served.
//!
//! - [`usage`](Usage): what was consumed, in disjoint classes.
//! - [`rates`](Rates): what each class costs, and the one place where a cost is computed.
//! - [`keys`](UnitError): the names under which people write prices (`input_mtok`), and their scales.
//! - [`model`](ModelPrice): one model: its limits, and its rates by date, hour and service tier.
//! - [`images`](ImageKind): what an image of some size and quality costs.
//! - `names`: which model a name means.
//! - [`book`](PriceBook): all of them, read from `config/prices.toml`.
//! - [`quote`](quote()): the most that a request can cost, and the output limit that an amount buys.

mod book;
mod images;
mod keys;
mod model;
mod names;
mod quote;
mod rates;
mod usage;

pub use book::PriceBook;
pub use images::ImageKind;
pub use keys::UnitError;
pub use model::{ModelLimits, ModelPrice, Variant};
pub use quote::{Bound, Quote, QuoteLimits, quote};
pub use rates::{PriceError, Rates};
pub use usage::{Unit, Usage};
