//! The price book: what a model costs for each unit, how a request is bounded before it is sent and priced after it was served.
//!
//! - [`usage`](Usage): what was consumed, in disjoint classes.
//! - [`rates`](Rates): what each class costs, and the one place where a cost is computed.
//! - [`keys`](UnitError): the names under which people write prices (`input_mtok`), and their scales.
//! - [`margin`](Margin): by how much a provider's bill may exceed the book.
//! - [`model`](ModelPrice): one model: its limits, and its rates by date, hour and service tier.
//! - `names`: which model a name means.
//! - [`book`](PriceBook): all of them, read from `config/prices.toml`.
//! - [`quote`](quote()): the most that a request can cost, and the output limit that an amount buys.

mod book;
mod keys;
mod margin;
mod model;
mod names;
mod quote;
mod rates;
mod usage;

pub use book::PriceBook;
pub use keys::UnitError;
pub use margin::{Margin, MarginError};
pub use model::{ModelLimits, ModelPrice, Variant};
pub use quote::{Bound, Quote, QuoteLimits, quote};
pub use rates::{PriceError, Rates};
pub use usage::{Unit, Usage};
