//! The files that an operator edits, parsed once into types: settings, routes and (in [`crate::prices`]) the price book.

mod environment;
mod quantity;
mod reload;
mod routes;
mod settings;

pub use environment::Environment;
pub use quantity::{parse_bytes, parse_duration};
pub use reload::{ConfigFiles, Configuration, Live, Reloaded};
pub(crate) use routes::glob;
pub use routes::{Found, OnDisconnect, OnUncertain, Route, RoutePath, RoutePrice, Routes, Upstream, UpstreamKey};
pub use settings::{LogFormat, Settings, SettingsArgs};
