//! The price book: what a model costs for each unit, how a request is bounded before it is sent and priced after it was served.
//!
//! - [`usage`](Usage): what was consumed, in disjoint classes.
//! - [`rates`](Rates): what each class costs, and the one place where a cost is computed.
//! - [`keys`](UnitError): the names under which people write prices (`input_mtok`), and their scales.
//! - [`margin`](Margin): by how much a provider's bill may exceed the book.
//! - [`model`](ModelPrice): one model: its limits, and its rates by date, hour and service tier.
//! - [`images`](ImageKind): what an image of some size and quality costs.
//! - `names`: which model a name means.
//! - `file`, `terms`: a price book's file as it is written.
//! - [`book`](PriceBook): all models, found by provider and name.
//! - `review`: what is odd about a price book that is right.
//! - [`quote`](quote()): the most that a request can cost, and the output limit that an amount buys.

mod book;
mod file;
mod images;
pub(crate) mod import;
mod keys;
mod margin;
mod model;
mod names;
mod quote;
mod rates;
mod review;
mod terms;
mod usage;

pub use book::PriceBook;
pub(crate) use file::{FileModel, Worth};
pub use images::ImageKind;
pub use keys::UnitError;
pub use margin::{Margin, MarginError};
pub use model::{ModelLimits, ModelPrice, Variant};
pub use quote::{Bound, Quote, QuoteLimits, quote};
pub use rates::{PriceError, Rates};
pub(crate) use review::review;
pub(crate) use terms::{PriceRow, Terms, in_force};
pub use usage::{Unit, Usage};
