//! Reload: routes and prices are read anew, all or nothing, when they change or on SIGHUP. Requests keep the snapshot they began with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use crate::diagnostic::Diagnostic;
use crate::prices::PriceBook;

use super::routes::BUILTIN_ROUTES;
use super::{Environment, Routes, Settings};

/// The files that can change while the gateway runs.
#[derive(Clone, Debug)]
pub struct ConfigFiles {
    routes: Source,
    prices: Source,
    environment: Environment,
}

#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    /// A named file must be there; the default one may be missing.
    named: bool,
    builtin: &'static str,
}

/// One snapshot: what a request sees from its beginning to its end.
#[derive(Debug)]
pub struct Configuration {
    /// The route table.
    pub routes: Routes,
    /// The price book.
    pub prices: PriceBook,
    /// Which files fell back to the ones built into the binary.
    pub builtin: Vec<PathBuf>,
}

/// The snapshot in force.
#[derive(Debug)]
pub struct Live {
    files: ConfigFiles,
    current: ArcSwap<Configuration>,
    /// Digest of the files' bytes at the last attempt, so that a broken file is told of once.
    seen: Mutex<Option<[u8; 32]>>,
}

/// What a look at the files came to.
#[derive(Debug)]
pub enum Reloaded {
    /// The files say what they said before.
    Unchanged,
    /// A new snapshot is in force.
    Replaced,
    /// The old snapshot stays in force.
    Refused(Vec<Diagnostic>),
}

// === impl ConfigFiles ===

impl ConfigFiles {
    /// The files that the settings name.
    #[must_use]
    pub fn new(settings: &Settings, environment: Environment) -> Self {
        Self {
            routes: Source { path: settings.routes.clone(), named: settings.routes_named, builtin: BUILTIN_ROUTES },
            prices: Source { path: settings.prices.clone(), named: settings.prices_named, builtin: PriceBook::BUILTIN },
            environment,
        }
    }

    /// Reads and checks all of them.
    ///
    /// # Errors
    /// All that is wrong with any of them.
    pub fn load(&self) -> Result<Configuration, Vec<Diagnostic>> {
        self.parse(self.routes.read(), self.prices.read())
    }

    fn parse(&self, routes: Result<Option<String>, Diagnostic>, prices: Result<Option<String>, Diagnostic>) -> Result<Configuration, Vec<Diagnostic>> {
        let mut builtin = Vec::new();
        let mut errors = Vec::new();
        let routes = take(&self.routes, routes, &mut builtin, &mut errors, |text, file| Routes::parse(text, file, &self.environment));
        let prices = take(&self.prices, prices, &mut builtin, &mut errors, PriceBook::parse);
        match (routes, prices) {
            (Some(routes), Some(prices)) => Ok(Configuration { routes, prices, builtin }),
            _ => Err(errors),
        }
    }
}

impl Source {
    /// The file's text; none where the default file is missing.
    fn read(&self) -> Result<Option<String>, Diagnostic> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if !self.named && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Diagnostic::whole_file(&self.path.display().to_string(), format!("cannot be read: {error}"))),
        }
    }
}

fn take<T>(
    source: &Source,
    text: Result<Option<String>, Diagnostic>,
    builtin: &mut Vec<PathBuf>,
    errors: &mut Vec<Diagnostic>,
    parse: impl FnOnce(&str, &str) -> Result<T, Vec<Diagnostic>>,
) -> Option<T> {
    let text = text.map_err(|error| errors.push(error)).ok()?;
    if text.is_none() {
        builtin.push(source.path.clone());
    }
    parse(text.as_deref().unwrap_or(source.builtin), &source.path.display().to_string()).map_err(|found| errors.extend(found)).ok()
}

// === impl Live ===

impl Live {
    /// Loads the first snapshot.
    ///
    /// # Errors
    /// All that is wrong with the files.
    pub fn start(files: ConfigFiles) -> Result<Self, Vec<Diagnostic>> {
        let (routes, prices) = (files.routes.read(), files.prices.read());
        let seen = digest(&routes, &prices);
        let first = files.parse(routes, prices)?;
        Ok(Self { current: ArcSwap::from_pointee(first), files, seen: Mutex::new(Some(seen)) })
    }

    /// The snapshot in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Configuration> {
        self.current.load_full()
    }

    /// Looks at the files and puts a new snapshot in force where they changed and are right. `forced` reads them even where nothing changed.
    pub fn reload(&self, forced: bool) -> Reloaded {
        let (routes, prices) = (self.files.routes.read(), self.files.prices.read());
        let digest = digest(&routes, &prices);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !forced && *seen == Some(digest) {
            return Reloaded::Unchanged;
        }
        *seen = Some(digest);
        match self.files.parse(routes, prices) {
            Ok(configuration) => {
                self.current.store(Arc::new(configuration));
                Reloaded::Replaced
            }
            Err(errors) => Reloaded::Refused(errors),
        }
    }

    /// The paths that are watched.
    pub fn watched(&self) -> impl Iterator<Item = &Path> {
        [self.files.routes.path.as_path(), self.files.prices.path.as_path()].into_iter()
    }
}

fn digest(routes: &Result<Option<String>, Diagnostic>, prices: &Result<Option<String>, Diagnostic>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for text in [routes, prices] {
        let (tag, bytes) = match text {
            Ok(Some(text)) => (2_u8, text.as_bytes()),
            Ok(None) => (1, &[][..]),
            Err(error) => (0, error.what.as_bytes()),
        };
        hasher.update([tag]);
        hasher.update(bytes.len().to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().into()
}
