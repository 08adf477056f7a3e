//! Settings: flag, or environment, or `config/spendgate.toml`, in that order; each has a default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::Diagnostic;
use crate::ledger::StoreAddress;
use crate::tls::TlsFiles;

use super::{parse_bytes, parse_duration};

/// Where settings are read from by default; may be missing.
const DEFAULT_SETTINGS_FILE: &str = "config/spendgate.toml";

/// Settings as given on the command line or in the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SettingsArgs {
    /// The settings file [default: config/spendgate.toml, if it is there]
    #[arg(long, env = "SPENDGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address for provider traffic and the token API [default: 127.0.0.1:8080]
    #[arg(long, env = "SPENDGATE_LISTEN", value_name = "ADDR")]
    listen: Option<String>,
    /// Address for /metrics, /healthz, /readyz and the dashboard [default: 127.0.0.1:9090]
    #[arg(long, env = "SPENDGATE_OPS_LISTEN", value_name = "ADDR")]
    ops_listen: Option<String>,
    /// The ledger's store [default: sqlite:data/spendgate.db]
    #[arg(long, env = "SPENDGATE_STORE", value_name = "URL")]
    store: Option<String>,
    /// The routes file [default: config/routes.toml]
    #[arg(long, env = "SPENDGATE_ROUTES", value_name = "FILE")]
    routes: Option<PathBuf>,
    /// The price book [default: config/prices.toml]
    #[arg(long, env = "SPENDGATE_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,
    /// How long a hold lives without being renewed, 1s to 1h [default: 60s]
    #[arg(long, env = "SPENDGATE_LEASE", value_name = "DURATION")]
    lease: Option<String>,
    /// When the embedded ledger is written through to the disk: normal (survives kill -9) or always (survives power loss) [default: normal]
    #[arg(long, env = "SPENDGATE_FSYNC", value_name = "WHEN")]
    fsync: Option<String>,
    /// Time zone of periodic resets and of the days in reports, for example Europe/Paris [default: UTC]
    #[arg(long, env = "SPENDGATE_TIME_ZONE", value_name = "ZONE")]
    time_zone: Option<String>,
    /// Folder of the outbox: where ends of requests wait while Redis is away [default: data/outbox]
    #[arg(long, env = "SPENDGATE_OUTBOX", value_name = "FOLDER")]
    outbox: Option<PathBuf>,
    /// How long Redis may take to answer, 10ms to 10s [default: 250ms]
    #[arg(long, env = "SPENDGATE_LEDGER_TIMEOUT", value_name = "DURATION")]
    ledger_timeout: Option<String>,
    /// Replicas that must have a change before it counts (WAIT), 0 to 9 [default: 0]
    #[arg(long, env = "SPENDGATE_REDIS_WAIT", value_name = "COUNT")]
    redis_wait: Option<String>,
    /// Whether each gateway sets slices of busy tokens' budgets aside, to admit requests without asking Redis: off or on [default: on]
    #[arg(long, env = "SPENDGATE_REDIS_LEASES", value_name = "WHETHER")]
    redis_leases: Option<String>,
    /// Days that the journal is kept [default: 400; 30 in Redis]
    #[arg(long, env = "SPENDGATE_JOURNAL_DAYS", value_name = "DAYS")]
    journal_days: Option<String>,
    /// Largest request body [default: 32MiB]
    #[arg(long, env = "SPENDGATE_MAX_BODY", value_name = "SIZE")]
    max_body: Option<String>,
    /// Most connections at once [default: 10000]
    #[arg(long, env = "SPENDGATE_MAX_CONNECTIONS", value_name = "COUNT")]
    max_connections: Option<String>,
    /// How long requests under way may take to finish after SIGTERM [default: 30s]
    #[arg(long, env = "SPENDGATE_DRAIN", value_name = "DURATION")]
    drain: Option<String>,
    /// Tokens that get series of their own in /metrics; the rest are "other" [default: 10000]
    #[arg(long, env = "SPENDGATE_METRICS_TOKENS", value_name = "COUNT")]
    metrics_tokens: Option<String>,
    /// Certificate chain (PEM): the listener then speaks HTTPS
    #[arg(long, env = "SPENDGATE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, env = "SPENDGATE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// What is logged: a tracing filter [default: info]
    #[arg(long, env = "SPENDGATE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged: text or json [default: text]
    #[arg(long, env = "SPENDGATE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
}

/// The same settings in `config/spendgate.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    listen: Option<Spanned<String>>,
    ops_listen: Option<Spanned<String>>,
    store: Option<Spanned<String>>,
    routes: Option<PathBuf>,
    prices: Option<PathBuf>,
    lease: Option<Spanned<String>>,
    fsync: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
    outbox: Option<PathBuf>,
    ledger_timeout: Option<Spanned<String>>,
    redis_wait: Option<Spanned<u32>>,
    redis_leases: Option<Spanned<String>>,
    journal_days: Option<Spanned<u32>>,
    max_body: Option<Spanned<String>>,
    max_connections: Option<Spanned<u32>>,
    drain: Option<Spanned<String>>,
    metrics_tokens: Option<Spanned<u32>>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    log: Option<Spanned<String>>,
    log_format: Option<Spanned<String>>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Every setting, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Provider traffic and the token API.
    pub listen: SocketAddr,
    /// Metrics and health.
    pub ops_listen: SocketAddr,
    /// Where the ledger is kept.
    pub store: StoreAddress,
    /// The routes file.
    pub routes: PathBuf,
    /// True where the routes file was named and so must be there.
    pub routes_named: bool,
    /// The price book.
    pub prices: PathBuf,
    /// True where the price book was named and so must be there.
    pub prices_named: bool,
    /// How long a hold lives without being renewed.
    pub lease: Duration,
    /// Whether the embedded ledger waits for the disk.
    pub fsync_always: bool,
    /// For periodic resets and report days.
    pub time_zone: jiff::tz::TimeZone,
    /// Where ends of requests wait while a store on a server is away.
    pub outbox: PathBuf,
    /// How long a store on a server may take to answer.
    pub ledger_timeout: Duration,
    /// Replicas that must have a change before it counts.
    pub redis_wait: u32,
    /// Whether requests are admitted from slices of budgets that a gateway has set aside in Redis.
    pub redis_leases: bool,
    /// How long the journal is kept; none: as the store does by default.
    pub journal_days: Option<u32>,
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// How long a drain may take.
    pub drain: Duration,
    /// Tokens with series of their own.
    pub metrics_tokens: usize,
    /// HTTPS on the listener.
    pub tls: Option<TlsFiles>,
    /// The tracing filter.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// A value with the place it came from, for messages.
struct Given {
    value: String,
    place: Place,
}

enum Place {
    /// A flag or a variable.
    Name(&'static str),
    /// A byte offset in the settings file.
    File(usize),
    /// The default, which is never wrong.
    Default,
}

/// Collects errors while settings are read one by one.
struct Reader<'a> {
    file: String,
    text: &'a str,
    errors: Vec<Diagnostic>,
}

// === impl Settings ===

impl Settings {
    /// Reads the settings file, if any, and puts flags and environment above it.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub fn load(args: &SettingsArgs) -> Result<Self, Vec<Diagnostic>> {
        let path = args.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_SETTINGS_FILE));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if args.config.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(vec![Diagnostic::whole_file(&path.display().to_string(), format!("cannot be read: {error}"))]),
        };
        Self::parse(args, &text, &path.display().to_string())
    }

    fn parse(args: &SettingsArgs, text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        let parsed: SettingsFile = toml::from_str(text).map_err(|error| vec![Diagnostic::from_toml(file, text, &error)])?;
        let mut reader = Reader { file: file.to_owned(), text, errors: Vec::new() };
        let settings = Self {
            listen: reader.read(pick(args.listen.as_ref(), "SPENDGATE_LISTEN", parsed.listen.as_ref(), "127.0.0.1:8080"), address),
            ops_listen: reader.read(pick(args.ops_listen.as_ref(), "SPENDGATE_OPS_LISTEN", parsed.ops_listen.as_ref(), "127.0.0.1:9090"), address),
            store: reader.read(pick(args.store.as_ref(), "SPENDGATE_STORE", parsed.store.as_ref(), "sqlite:data/spendgate.db"), str::parse),
            routes_named: args.routes.is_some() || parsed.routes.is_some(),
            routes: args.routes.clone().or(parsed.routes).unwrap_or_else(|| PathBuf::from("config/routes.toml")),
            prices_named: args.prices.is_some() || parsed.prices.is_some(),
            prices: args.prices.clone().or(parsed.prices).unwrap_or_else(|| PathBuf::from("config/prices.toml")),
            lease: reader.read(pick(args.lease.as_ref(), "SPENDGATE_LEASE", parsed.lease.as_ref(), "60s"), |text| {
                parse_duration(text).and_then(|lease| {
                    if lease >= Duration::from_secs(1) && lease <= Duration::from_secs(3600) { Ok(lease) } else { Err("a lease is from 1s to 1h".to_owned()) }
                })
            }),
            fsync_always: reader.read(pick(args.fsync.as_ref(), "SPENDGATE_FSYNC", parsed.fsync.as_ref(), "normal"), |text| {
                one_of(text, &[("normal", false), ("always", true)])
            }),
            time_zone: reader.read(pick(args.time_zone.as_ref(), "SPENDGATE_TIME_ZONE", parsed.time_zone.as_ref(), "UTC"), |text| {
                jiff::tz::TimeZone::get(text)
                    .map_err(|_| format!("{text:?} is not a time zone; write a name of the IANA database, for example \"Europe/Paris\""))
            }),
            outbox: args.outbox.clone().or(parsed.outbox).unwrap_or_else(|| PathBuf::from("data/outbox")),
            ledger_timeout: reader.read(pick(args.ledger_timeout.as_ref(), "SPENDGATE_LEDGER_TIMEOUT", parsed.ledger_timeout.as_ref(), "250ms"), |text| {
                let allowed = Duration::from_millis(10)..=Duration::from_secs(10);
                parse_duration(text)
                    .and_then(|timeout| if allowed.contains(&timeout) { Ok(timeout) } else { Err("Redis may take from 10ms to 10s".to_owned()) })
            }),
            redis_wait: reader.read(pick_count(args.redis_wait.as_ref(), "SPENDGATE_REDIS_WAIT", parsed.redis_wait.as_ref(), "0"), |text| {
                text.parse().ok().filter(|replicas| *replicas <= 9).ok_or_else(|| format!("{text:?} is not a number of replicas; write 0 to 9"))
            }),
            redis_leases: reader.read(pick(args.redis_leases.as_ref(), "SPENDGATE_REDIS_LEASES", parsed.redis_leases.as_ref(), "on"), |text| {
                one_of(text, &[("off", false), ("on", true)])
            }),
            journal_days: match (&args.journal_days, &parsed.journal_days) {
                (None, None) => None,
                (argument, file) => Some(reader.read(pick_count(argument.as_ref(), "SPENDGATE_JOURNAL_DAYS", file.as_ref(), ""), count)),
            },
            max_body: reader.read(pick(args.max_body.as_ref(), "SPENDGATE_MAX_BODY", parsed.max_body.as_ref(), "32MiB"), parse_bytes),
            max_connections: reader
                .read(pick_count(args.max_connections.as_ref(), "SPENDGATE_MAX_CONNECTIONS", parsed.max_connections.as_ref(), "10000"), count),
            drain: reader.read(pick(args.drain.as_ref(), "SPENDGATE_DRAIN", parsed.drain.as_ref(), "30s"), parse_duration),
            metrics_tokens: reader.read(pick_count(args.metrics_tokens.as_ref(), "SPENDGATE_METRICS_TOKENS", parsed.metrics_tokens.as_ref(), "10000"), count),
            tls: match (args.tls_cert.clone().or(parsed.tls_cert), args.tls_key.clone().or(parsed.tls_key)) {
                (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
                (None, None) => None,
                _ => {
                    reader
                        .fail(&Place::Name("SPENDGATE_TLS_CERT, SPENDGATE_TLS_KEY"), "HTTPS needs both a certificate and its key; only one is set".to_owned());
                    None
                }
            },
            log: reader.read(pick(args.log.as_ref(), "SPENDGATE_LOG", parsed.log.as_ref(), "info"), |text| {
                tracing_subscriber::EnvFilter::try_new(text)
                    .map(|_| text.to_owned())
                    .map_err(|error| format!("{text:?} is not a log filter: {error}; write for example \"info\""))
            }),
            log_format: reader.read(pick(args.log_format.as_ref(), "SPENDGATE_LOG_FORMAT", parsed.log_format.as_ref(), "text"), |text| {
                one_of(text, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
            }),
        };
        if reader.errors.is_empty() { Ok(settings) } else { Err(reader.errors) }
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Reads one setting; where it is wrong, notes why and goes on with the type's own default, which is never used.
    fn read<T: Fallback>(&mut self, given: Given, parse: impl FnOnce(&str) -> Result<T, String>) -> T {
        match parse(&given.value) {
            Ok(value) => value,
            Err(what) => {
                self.fail(&given.place, what);
                T::fallback()
            }
        }
    }

    fn fail(&mut self, place: &Place, what: String) {
        self.errors.push(match place {
            Place::File(offset) => Diagnostic::at(&self.file, self.text, *offset, what),
            Place::Name(name) => Diagnostic::whole_file(name, what),
            Place::Default => Diagnostic::whole_file(&self.file, what),
        });
    }
}

/// What stands in for a setting that could not be read, so that the others are checked too.
trait Fallback {
    fn fallback() -> Self;
}

macro_rules! fallback {
    ($($kind:ty => $value:expr),+ $(,)?) => { $(impl Fallback for $kind { fn fallback() -> Self { $value } })+ };
}

fallback! {
    SocketAddr => SocketAddr::from(([127, 0, 0, 1], 0)),
    PathBuf => Self::new(),
    StoreAddress => Self::Sqlite(PathBuf::new()),
    Duration => Self::ZERO,
    bool => false,
    usize => 0,
    u32 => 0,
    String => Self::new(),
    LogFormat => Self::Text,
    jiff::tz::TimeZone => Self::UTC,
}

fn pick(argument: Option<&String>, name: &'static str, file: Option<&Spanned<String>>, default: &str) -> Given {
    match (argument, file) {
        (Some(value), _) => Given { value: value.clone(), place: Place::Name(name) },
        (None, Some(value)) => Given { value: value.get_ref().clone(), place: Place::File(value.span().start) },
        (None, None) => Given { value: default.to_owned(), place: Place::Default },
    }
}

fn pick_count(argument: Option<&String>, name: &'static str, file: Option<&Spanned<u32>>, default: &str) -> Given {
    match (argument, file) {
        (None, Some(value)) => Given { value: value.get_ref().to_string(), place: Place::File(value.span().start) },
        _ => pick(argument, name, None, default),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| format!("{text:?} is not an address; write IP:PORT, for example \"127.0.0.1:8080\""))
}

fn count<T: FromStr + PartialEq + Default>(text: &str) -> Result<T, String> {
    text.parse().ok().filter(|count| *count != T::default()).ok_or_else(|| format!("{text:?} is not a count; write a whole number above zero"))
}

fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is none of the choices; write one of: {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let args = SettingsArgs { listen: Some("127.0.0.1:1".to_owned()), ..SettingsArgs::default() };
        let settings = Settings::parse(&args, "listen = \"127.0.0.1:2\"\nlease = \"5s\"\n", "f.toml").unwrap();
        assert_eq!(settings.listen.port(), 1);
        assert_eq!(settings.lease, Duration::from_secs(5));
        assert_eq!(settings.ops_listen.port(), 9090);
    }

    #[test]
    fn every_wrong_setting_is_named_with_its_place() {
        let args = SettingsArgs { max_body: Some("1MB".to_owned()), ..SettingsArgs::default() };
        let errors = Settings::parse(&args, "listen = \"nowhere\"\nlease = \"0s\"\nstore = \"ring://x\"\n", "f.toml").unwrap_err();
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(shown[0].starts_with("f.toml:1:10: "), "{shown:?}");
        assert_eq!(shown.len(), 4, "{shown:?}");
        let unknown = Settings::parse(&SettingsArgs::default(), "lisen = \"x\"\n", "f.toml").unwrap_err();
        assert!(unknown[0].to_string().starts_with("f.toml:1:1: "), "{}", unknown[0]);
    }
}
