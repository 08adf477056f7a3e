//! The price book: what a model costs for each unit, how a request is bounded before it is sent and priced after it was served.

mod usage;

pub use usage::{Unit, Usage};
