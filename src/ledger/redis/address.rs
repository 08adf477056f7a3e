//! Where the servers are: the `redis` forms of `SPENDGATE_STORE`.

use std::fmt;
use std::path::PathBuf;

/// The port of a Redis where none is written.
const PORT: u16 = 6379;
/// The port of a Sentinel where none is written.
const SENTINEL_PORT: u16 = 26_379;
/// What each message shows as right.
const EXAMPLES: &str = "write for example \"redis://:PASSWORD@host:6379/0\", \"redis+sentinel://host1:26379,host2:26379/MASTER\" or \
                        \"redis+cluster://host1:6379,host2:6379\"; \"rediss\" in place of \"redis\" is TLS";

/// The servers that keep a ledger together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    /// How they belong together.
    pub(crate) topology: Topology,
    /// The servers, or the Sentinels, that are asked first.
    pub(crate) hosts: Vec<Host>,
    /// Encrypted connections.
    pub(crate) tls: bool,
    /// The certificates that sign the servers', where they are not the system's.
    pub(crate) authority: Option<PathBuf>,
    /// Who we are to the servers.
    pub(crate) login: Login,
    /// Who we are to the Sentinels.
    pub(crate) sentinel_login: Login,
    /// The database's number.
    pub(crate) database: i64,
}

/// How servers belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server.
    Single,
    /// A primary with replicas, watched by Sentinels under this name.
    Sentinel(String),
    /// A Cluster.
    Cluster,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host {
    /// A name, or an address without brackets.
    pub(crate) name: String,
    /// Its port.
    pub(crate) port: u16,
}

/// A user and a password, either of which may be missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

// === impl RedisAddress ===

impl RedisAddress {
    /// Whether `text` has one of the schemes of this store.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with("redis:") || text.starts_with("rediss:") || text.starts_with("redis+") || text.starts_with("rediss+")
    }

    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right. Never shows a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("the store lacks \"://\"; {EXAMPLES}"))?;
        let (tls, kind) = match scheme.split_once('+').map_or((scheme, ""), |(base, kind)| (base, kind)) {
            ("redis", kind) => (false, kind),
            ("rediss", kind) => (true, kind),
            _ => return Err(format!("{scheme:?} is not a scheme of a store; {EXAMPLES}")),
        };
        if !matches!(kind, "" | "sentinel" | "cluster") {
            return Err(format!("{scheme:?} is not a scheme of a store; {EXAMPLES}"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold a slash, an address may not hold an at sign behind the last one.
        let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let default_port = if kind == "sentinel" { SENTINEL_PORT } else { PORT };
        let hosts = hosts.split(',').map(|host| Host::parse(host, default_port)).collect::<Result<Vec<_>, _>>()?;
        if kind.is_empty() && hosts.len() > 1 {
            return Err(format!("\"{scheme}\" takes one host; for several write \"{scheme}+sentinel\" or \"{scheme}+cluster\""));
        }
        let (topology, database) = match (kind, path) {
            ("sentinel", path) => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(format!("the name that the Sentinels give the primary is missing; write \"{scheme}://HOSTS/MASTER\""));
                }
                (Topology::Sentinel(decoded(master)?), number(database)?)
            }
            ("cluster", "" | "0") => (Topology::Cluster, 0),
            ("cluster", _) => return Err("a Cluster has one database; leave its number out".to_owned()),
            (_, database) => (Topology::Single, number(database)?),
        };
        let mut address = Self { topology, hosts, tls, authority: None, login: Login::parse(login)?, sentinel_login: Login::default(), database };
        for (name, value) in query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, ""))) {
            match name {
                "ca" if tls => address.authority = Some(PathBuf::from(decoded(value)?)),
                "ca" => return Err("\"ca\" is for TLS; write \"rediss\" in place of \"redis\"".to_owned()),
                "sentinel_username" if kind == "sentinel" => address.sentinel_login.user = Some(decoded(value)?),
                "sentinel_password" if kind == "sentinel" => address.sentinel_login.password = Some(decoded(value)?),
                other => return Err(format!("{other:?} is not a parameter of a store; there are \"ca\", \"sentinel_username\" and \"sentinel_password\"")),
            }
        }
        Ok(address)
    }
}

impl fmt::Display for RedisAddress {
    /// Without logins.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.topology {
            Topology::Single => "",
            Topology::Sentinel(_) => "+sentinel",
            Topology::Cluster => "+cluster",
        };
        write!(out, "redis{}{kind}://", if self.tls { "s" } else { "" })?;
        for (position, host) in self.hosts.iter().enumerate() {
            write!(out, "{}{host}", if position == 0 { "" } else { "," })?;
        }
        match &self.topology {
            Topology::Sentinel(master) => write!(out, "/{master}/{}", self.database),
            Topology::Single => write!(out, "/{}", self.database),
            Topology::Cluster => Ok(()),
        }
    }
}

fn number(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().ok().filter(|number: &i64| *number >= 0).ok_or_else(|| format!("{text:?} is not the number of a database; write for example \"/0\""))
}

/// What `text` spells with `%` and two hex digits for a byte.
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "a part of the store is not percent-encoded UTF-8; write \"%25\" for a percent sign".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

// === impl Host ===

impl Host {
    fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (name, port) = rest.split_once(']').ok_or_else(|| format!("the bracket of the host {text:?} is not closed"))?;
                (name, port.strip_prefix(':'))
            }
            None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
        };
        if name.is_empty() {
            return Err(format!("a host is missing; {EXAMPLES}"));
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("{port:?} is not a port; write a number from 1 to 65535"))?,
            None => default_port,
        };
        Ok(Self { name: name.to_owned(), port })
    }
}

impl Host {
    /// Reads the address in a redirection: an IPv6 address has no brackets there.
    pub(crate) fn of_redirection(text: &str) -> Option<Self> {
        let (name, port) = text.rsplit_once(':')?;
        Some(Self { name: name.trim_matches(['[', ']']).to_owned(), port: port.parse().ok()? }).filter(|host| !host.name.is_empty())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') { write!(out, "[{}]:{}", self.name, self.port) } else { write!(out, "{}:{}", self.name, self.port) }
    }
}

// === impl Login ===

impl Login {
    fn parse(text: &str) -> Result<Self, String> {
        let given = |text: &str| if text.is_empty() { Ok(None) } else { decoded(text).map(Some) };
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { user: given(user)?, password: given(password)? })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Login({})", if self.password.is_some() { ".." } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RedisAddress {
        RedisAddress::parse(text).unwrap()
    }

    #[test]
    fn every_form_is_read_and_shown_without_its_password() {
        let single = parse("redis://user:p%40ss%2F@host/3");
        assert_eq!((single.database, single.hosts[0].port, single.login.password.as_deref()), (3, 6379, Some("p@ss/")));
        assert_eq!(single.to_string(), "redis://host:6379/3");
        assert!(!format!("{single:?}").contains("p@ss"));
        let sentinel = parse("rediss+sentinel://:secret@a,b:5/main/2?sentinel_password=other&ca=/tmp/ca.pem");
        assert_eq!((&sentinel.topology, sentinel.database, sentinel.tls), (&Topology::Sentinel("main".into()), 2, true));
        assert_eq!(sentinel.to_string(), "rediss+sentinel://a:26379,b:5/main/2");
        assert_eq!(sentinel.sentinel_login.password.as_deref(), Some("other"));
        assert!(!format!("{sentinel:?}").contains("secret"));
        let cluster = parse("redis+cluster://[::1]:7000,b");
        assert_eq!((cluster.to_string(), cluster.topology), ("redis+cluster://[::1]:7000,b:6379".to_owned(), Topology::Cluster));
        assert_eq!(parse("redis://host").login, Login::default());
    }

    #[test]
    fn what_is_wrong_is_said_and_no_password_with_it() {
        for (text, part) in [
            ("redis:host", "lacks"),
            ("redis+ring://host", "not a scheme"),
            ("redis://", "host is missing"),
            ("redis://:hidden@a,b", "takes one host"),
            ("redis://:hidden@host/x", "number of a database"),
            ("redis://host:0", "not a port"),
            ("redis://[::1", "not closed"),
            ("redis+sentinel://host", "primary is missing"),
            ("redis+cluster://host/3", "one database"),
            ("redis://host?ca=x", "for TLS"),
            ("rediss://host?insecure=1", "not a parameter"),
            ("redis://:%zz@host", "percent-encoded"),
        ] {
            let message = RedisAddress::parse(text).unwrap_err();
            assert!(message.contains(part) && !message.contains("hidden"), "{text}: {message}");
        }
    }
}
