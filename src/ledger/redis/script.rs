//! The scripts: put together from their files, named by the SHA-1 of their text, called with all the keys of an account.

use std::future::Future;
use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::connections::Place;
use super::keys::{self, hex};

/// An operation. The name of its file, in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Name {
    Account,
    EnsureAccount,
    SetCredits,
    CreateToken,
    UpdateToken,
    RotateToken,
    DeleteToken,
    Facts,
    View,
    ViewsAfter,
    Admit,
    Settle,
    ChargeHold,
    Void,
    Keep,
    Renew,
    Sweep,
    Restore,
    Adopt,
    Trim,
    SliceTake,
    SliceBatch,
    SliceRecall,
}

/// A script as the server is given it.
#[derive(Debug)]
pub(crate) struct Script {
    /// The name of its file.
    pub(crate) name: &'static str,
    /// Its whole text: flags, what it shares with others, itself.
    pub(crate) source: String,
    /// The SHA-1 of the text in hex: what EVALSHA asks for.
    pub(crate) digest: String,
    keyed: Keyed,
    vouched: bool,
    writes: bool,
}

/// All the scripts, at the places of their names.
#[derive(Debug)]
pub(crate) struct Scripts([Script; TABLE.len()]);

/// Which keys a script works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyed {
    /// The hash of accounts alone.
    Accounts,
    /// All those of one account.
    Account,
    /// Its slices too.
    Sliced,
}

/// Calls scripts on whatever servers there are. A call that meets `NOSCRIPT` is repeated with the script's text: nothing had run.
pub(crate) trait Run {
    /// Runs a script on the keys of an account.
    fn run(&self, account: &str, script: &'static Script, arguments: &[Vec<u8>]) -> impl Future<Output = Result<Value, CallError>> + Send;
}

/// Why a call brought no answer. What matters is whether it may have been executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Surely not executed: there was no connection.
    #[error("not sent: {0}")]
    NotSent(String),
    /// May have been executed: no answer in time, or a broken connection.
    #[error("no answer: {0}")]
    Unknown(String),
    /// The server refused it, and did nothing: out of memory, read-only, loading, a moving slot.
    #[error("refused: {0}")]
    Refused(String),
    /// The script failed, or its answer makes no sense: a defect, or data that is not ours.
    #[error("a script failed: {0}")]
    Script(String),
}

/// A file of the table: its operation, its name, its flags, what goes before it, and its text.
struct Source {
    name: Name,
    file: &'static str,
    flags: &'static str,
    shared: &'static [Shared],
    body: &'static str,
}

/// A file that scripts share: its name and its text.
type Shared = (&'static str, &'static str);

const KEYS: Shared = ("lib/keys.lua", include_str!("scripts/lib/keys.lua"));
const CLOCK: Shared = ("lib/clock.lua", include_str!("scripts/lib/clock.lua"));
const ACCOUNT: Shared = ("lib/account.lua", include_str!("scripts/lib/account.lua"));
const VOUCHED: Shared = ("lib/vouched.lua", include_str!("scripts/lib/vouched.lua"));
const CALENDAR: Shared = ("lib/calendar.lua", include_str!("scripts/lib/calendar.lua"));
const RECORDS: Shared = ("lib/records.lua", include_str!("scripts/lib/records.lua"));
const FREE: Shared = ("lib/free.lua", include_str!("scripts/lib/free.lua"));
const FORGET: Shared = ("lib/forget.lua", include_str!("scripts/lib/forget.lua"));
const LEDGER: Shared = ("lib/ledger.lua", include_str!("scripts/lib/ledger.lua"));
const CHARGE: Shared = ("lib/charge.lua", include_str!("scripts/lib/charge.lua"));
const SLICE: Shared = ("lib/slice.lua", include_str!("scripts/lib/slice.lua"));
const IDENTITY: Shared = ("lib/identity.lua", include_str!("scripts/lib/identity.lua"));

/// What a file can include: the line `--include lib/free.lua` is replaced by that file.
const INCLUDED: [Shared; 5] = [RECORDS, FREE, FORGET, LEDGER, CHARGE];
const INCLUDE: &str = "--include ";

/// What the account says, and nothing of money.
const PLAIN: &[Shared] = &[KEYS, CLOCK, ACCOUNT];
/// Tokens as they are shown.
const SHOWING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, IDENTITY];
/// Endings of holds: they are idempotent, and wait for no failover.
const ENDING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, CALENDAR, LEDGER, CHARGE];
/// New holds. What few of them need is included where it is needed.
const ADMITTING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, VOUCHED, CALENDAR, RECORDS, FREE];
/// The usual end of a hold, likewise.
const SETTLING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, CALENDAR, RECORDS];
/// New holds, those of slices.
const SLICING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, VOUCHED, CALENDAR, LEDGER, CHARGE, SLICE];
/// What becomes of slices, and of holds that a gateway granted by itself.
const SLICED: &[Shared] = &[KEYS, CLOCK, ACCOUNT, CALENDAR, LEDGER, CHARGE, SLICE];
/// Changes by hand.
const MANAGING: &[Shared] = &[KEYS, CLOCK, ACCOUNT, VOUCHED, CALENDAR, LEDGER, IDENTITY];

/// Fails before it does anything where the server is out of memory.
const GROWS: &str = "";
/// Must not be stopped by a server that is out of memory: it ends holds, or frees memory.
const ENDS: &str = " flags=allow-oom";
/// Only reads.
const READS: &str = " flags=no-writes,allow-oom";

const TABLE: [Source; 23] = [
    Source { name: Name::Account, file: "account.lua", flags: GROWS, shared: &[], body: include_str!("scripts/account.lua") },
    Source { name: Name::EnsureAccount, file: "ensure_account.lua", flags: GROWS, shared: &[KEYS, CLOCK], body: include_str!("scripts/ensure_account.lua") },
    Source { name: Name::SetCredits, file: "set_credits.lua", flags: GROWS, shared: MANAGING, body: include_str!("scripts/set_credits.lua") },
    Source { name: Name::CreateToken, file: "create_token.lua", flags: GROWS, shared: MANAGING, body: include_str!("scripts/create_token.lua") },
    Source { name: Name::UpdateToken, file: "update_token.lua", flags: GROWS, shared: MANAGING, body: include_str!("scripts/update_token.lua") },
    Source { name: Name::RotateToken, file: "rotate_token.lua", flags: GROWS, shared: MANAGING, body: include_str!("scripts/rotate_token.lua") },
    Source { name: Name::DeleteToken, file: "delete_token.lua", flags: ENDS, shared: MANAGING, body: include_str!("scripts/delete_token.lua") },
    Source { name: Name::Facts, file: "facts.lua", flags: READS, shared: SHOWING, body: include_str!("scripts/facts.lua") },
    Source { name: Name::View, file: "view.lua", flags: READS, shared: SHOWING, body: include_str!("scripts/view.lua") },
    Source { name: Name::ViewsAfter, file: "views_after.lua", flags: READS, shared: SHOWING, body: include_str!("scripts/views_after.lua") },
    Source { name: Name::Admit, file: "admit.lua", flags: GROWS, shared: ADMITTING, body: include_str!("scripts/admit.lua") },
    Source { name: Name::Settle, file: "settle.lua", flags: ENDS, shared: SETTLING, body: include_str!("scripts/settle.lua") },
    Source { name: Name::ChargeHold, file: "charge_hold.lua", flags: ENDS, shared: ENDING, body: include_str!("scripts/charge_hold.lua") },
    Source { name: Name::Void, file: "void.lua", flags: ENDS, shared: ENDING, body: include_str!("scripts/void.lua") },
    Source { name: Name::Keep, file: "keep.lua", flags: ENDS, shared: ENDING, body: include_str!("scripts/keep.lua") },
    Source { name: Name::Renew, file: "renew.lua", flags: ENDS, shared: ENDING, body: include_str!("scripts/renew.lua") },
    Source { name: Name::Sweep, file: "sweep.lua", flags: ENDS, shared: ENDING, body: include_str!("scripts/sweep.lua") },
    Source { name: Name::Restore, file: "restore.lua", flags: ENDS, shared: SLICED, body: include_str!("scripts/restore.lua") },
    Source { name: Name::Adopt, file: "adopt.lua", flags: ENDS, shared: PLAIN, body: include_str!("scripts/adopt.lua") },
    Source { name: Name::Trim, file: "trim.lua", flags: ENDS, shared: PLAIN, body: include_str!("scripts/trim.lua") },
    Source { name: Name::SliceTake, file: "slice_take.lua", flags: GROWS, shared: SLICING, body: include_str!("scripts/slice_take.lua") },
    Source { name: Name::SliceBatch, file: "slice_batch.lua", flags: ENDS, shared: SLICED, body: include_str!("scripts/slice_batch.lua") },
    Source { name: Name::SliceRecall, file: "slice_recall.lua", flags: ENDS, shared: SLICED, body: include_str!("scripts/slice_recall.lua") },
];

// === impl Scripts ===

impl Scripts {
    /// The scripts as they are.
    pub(crate) fn standard() -> &'static Self {
        static STANDARD: LazyLock<Scripts> = LazyLock::new(|| Scripts::build(&|_, text| text.to_owned()));
        &STANDARD
    }

    /// The scripts with each file as `change` makes it, given its name and its text.
    pub(super) fn build(change: &dyn Fn(&'static str, &'static str) -> String) -> Self {
        Self(TABLE.map(|source| {
            let mut text = format!("#!lua{}\n", source.flags);
            for (file, part) in source.shared.iter().chain([&(source.file, source.body)]) {
                append(&mut text, file, part, change);
            }
            let keyed = match source.name {
                Name::Account => Keyed::Accounts,
                Name::SliceTake | Name::SliceBatch | Name::SliceRecall => Keyed::Sliced,
                _ => Keyed::Account,
            };
            let digest = hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
            Script {
                name: source.file.trim_end_matches(".lua"),
                source: text,
                digest,
                keyed,
                vouched: source.shared.contains(&VOUCHED),
                writes: source.flags != READS,
            }
        }))
    }

    /// Their texts.
    #[cfg(test)]
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|script| script.source.as_str())
    }

    /// One of them.
    pub(crate) fn get(&self, name: Name) -> &Script {
        &self.0[name as usize]
    }
}

/// Appends a file as `change` makes it, with all that it includes: also within a block, whose functions are made only when it is run.
fn append(text: &mut String, file: &'static str, part: &'static str, change: &dyn Fn(&'static str, &'static str) -> String) {
    for line in change(file, part).lines() {
        match line.strip_prefix(INCLUDE).and_then(|name| INCLUDED.iter().find(|(file, _)| *file == name)) {
            Some((file, part)) => append(text, file, part, change),
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
}

// === impl Script ===

impl Script {
    /// The keys that it is to be given.
    pub(crate) fn keys(&self, account: &str) -> Vec<String> {
        match self.keyed {
            Keyed::Accounts => vec![keys::ACCOUNTS.to_owned()],
            Keyed::Account => keys::of_account(account).into(),
            Keyed::Sliced => {
                let mut keys: Vec<String> = keys::of_account(account).into();
                keys.push(keys::of_account_part(account, keys::SLICES));
                keys
            }
        }
    }

    /// Where they are.
    pub(super) fn place<'a>(&self, account: &'a str) -> Place<'a> {
        match self.keyed {
            Keyed::Accounts => Place::Key(keys::ACCOUNTS),
            Keyed::Account | Keyed::Sliced => Place::Account(account),
        }
    }

    /// Whether its first argument names the server that it is meant for.
    pub(crate) fn is_vouched(&self) -> bool {
        self.vouched
    }

    /// Whether it may change anything.
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// The call by the script's digest: what is sent first.
    pub(crate) fn by_digest(&self, account: &str, arguments: &[Vec<u8>]) -> Cmd {
        self.call("EVALSHA", &self.digest, account, arguments)
    }

    /// The call with the script's text: for a server that does not know it.
    pub(crate) fn in_full(&self, account: &str, arguments: &[Vec<u8>]) -> Cmd {
        self.call("EVAL", &self.source, account, arguments)
    }

    fn call(&self, command: &str, script: &str, account: &str, arguments: &[Vec<u8>]) -> Cmd {
        let keys = self.keys(account);
        let bytes = keys.iter().map(String::len).chain(arguments.iter().map(Vec::len)).sum::<usize>();
        let mut call = Cmd::with_capacity(3 + keys.len() + arguments.len(), command.len() + script.len() + bytes + 2);
        call.arg(command);
        call.arg(script).arg(keys.len()).arg(keys).arg(arguments);
        call
    }
}

// === impl CallError ===

impl CallError {
    /// Why there was no answer, without what that means for the call.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotSent(why) | Self::Unknown(why) | Self::Refused(why) | Self::Script(why) => why,
        }
    }

    /// Whether a call failed only because the server does not know the script yet.
    #[cfg(test)]
    pub(crate) fn is_unknown_script(error: &RedisError) -> bool {
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }
}

impl From<&RedisError> for CallError {
    fn from(error: &RedisError) -> Self {
        let text = error.to_string();
        match error.kind() {
            // What a script says when it fails; every refusal before it ran has a code of its own.
            ErrorKind::Server(ServerErrorKind::ResponseError) => Self::Script(text),
            ErrorKind::Extension if error.code() == Some("WRONGTYPE") => Self::Script(text),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(text),
            ErrorKind::InvalidClientConfig
            | ErrorKind::AuthenticationFailed
            | ErrorKind::Client
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::EmptySentinelList
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::RESP3NotSupported => Self::NotSent(text),
            _ if error.is_connection_refusal() => Self::NotSent(text),
            _ => Self::Unknown(text),
        }
    }
}
