//! Random sequences of operations, and what can be compared of their answers.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::ledger::rules::AdmitReply;
use crate::ledger::types::{AdmitRequest, Certainty, ChargeLabel, HoldId, Renewal, Renewed, Settled, Settlement};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::{BudgetReset, NewToken, ResetPeriod, Secret, TokenId, TokenKind, TokenPatch, TokenRuleError, TokenView};

pub(in crate::ledger) const ACCOUNT: &str = "default";

/// Something that follows the rules.
pub(in crate::ledger) trait Subject {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply;
    fn figures(&mut self, now: Timestamp) -> Figures;
}

/// An operation, with everything in it decided.
#[derive(Clone, Debug)]
pub(in crate::ledger) enum Action {
    Admit(AdmitRequest),
    Settle(Settlement),
    ChargeHold(HoldId),
    Void(HoldId, Duration),
    /// The second is the id that the first gets.
    Keep(HoldId, HoldId, Duration),
    Renew(Renewal),
    Sweep,
    Create(NewToken, Secret),
    Update(String, TokenPatch),
    Rotate(String, Secret, Duration),
    Delete(String),
    Credits(Option<Usd>),
    /// A store starts anew from what it wrote, and sweeps first thing.
    Reopen,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ledger) enum Reply {
    Admit(AdmitReply),
    Settle(Settled),
    Renew(Renewed),
    Token(Option<Result<TokenView, Vec<TokenRuleError>>>),
    Known(bool),
    Nothing,
}

/// All the figures there are.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ledger) struct Figures {
    pub(in crate::ledger) tokens: Vec<TokenView>,
    pub(in crate::ledger) credits: Option<Usd>,
}

/// An operation as it is drawn: tokens and holds by small numbers.
#[derive(Clone, Debug)]
pub(in crate::ledger) enum Step {
    Advance(i64),
    Admit { token: usize, repeat: Option<usize>, want: i64, least: i64, lease: u64, old_secret: bool },
    Settle { hold: usize, cost: i64, certainty: Certainty },
    ChargeHold { hold: usize },
    Void { hold: usize, lease: u64 },
    Keep { hold: usize, lease: u64 },
    SettleKept { hold: usize, cost: i64 },
    Renew { hold: usize, lease: u64, raise: i64 },
    Sweep,
    Create { token: usize, kind: TokenKind, balance: Option<i64>, active: bool, reset: Option<(ResetPeriod, i64)>, expires: Option<i64> },
    Update { token: usize, patch: DrawnPatch },
    Rotate { token: usize, grace: u64 },
    Delete { token: usize },
    Credits(Option<i64>),
    Reopen,
}

#[derive(Clone, Debug)]
pub(in crate::ledger) struct DrawnPatch {
    balance: Option<Option<i64>>,
    active: Option<bool>,
    expires: Option<Option<i64>>,
    period: Option<Option<ResetPeriod>>,
    amount: Option<Option<i64>>,
}

const NAMES: usize = 3;

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0_i64), 6 => 1..6_000_i64, 2 => 1..20_000_i64]
}

fn balance() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0_i64), 1 => -500..0_i64, 6 => 1..15_000_i64]
}

fn lease() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(60_000_u64), 2 => 1..5_000_u64]
}

fn period() -> impl Strategy<Value = ResetPeriod> {
    prop_oneof![Just(ResetPeriod::Daily), Just(ResetPeriod::Weekly), Just(ResetPeriod::Monthly)]
}

fn certainty() -> impl Strategy<Value = Certainty> {
    prop_oneof![3 => Just(Certainty::Exact), 1 => Just(Certainty::Estimated)]
}

fn expiry() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![5 => Just(None), 1 => (1..200_000_i64).prop_map(Some)]
}

fn patch() -> impl Strategy<Value = DrawnPatch> {
    let sometimes = prop::option::weighted::<BoxedStrategy<Option<i64>>>;
    (
        sometimes(0.6, prop::option::weighted(0.9, balance()).boxed()),
        prop::option::weighted(0.4, any::<bool>()),
        sometimes(0.1, expiry().boxed()),
        prop::option::weighted(0.25, prop::option::weighted(0.7, period())),
        sometimes(0.2, prop::option::weighted(0.9, balance()).boxed()),
    )
        .prop_map(|(balance, active, expires, period, amount)| DrawnPatch { balance, active, expires, period, amount })
}

fn step() -> impl Strategy<Value = Step> {
    let token = 0..NAMES;
    // How long ago the hold was made, in holds.
    let hold = prop_oneof![6 => 0..4_usize, 1 => 0..20_usize];
    let advance = prop_oneof![
        6 => 0..2_000_i64,
        3 => 30_000..90_000_i64,
        1 => 3_600_000..40_000_000_i64,
        1 => Just(8 * 86_400_000_i64),
    ];
    let kind = prop_oneof![6 => Just(TokenKind::Api), 1 => Just(TokenKind::Sandbox)];
    prop_oneof![
        8 => advance.prop_map(Step::Advance),
        20 => (token.clone(), prop::option::weighted(0.12, hold.clone()), amount(), amount(), lease(), prop::bool::weighted(0.05))
            .prop_map(|(token, repeat, want, least, lease, old_secret)| Step::Admit { token, repeat, want, least, lease, old_secret }),
        14 => (hold.clone(), amount(), certainty()).prop_map(|(hold, cost, certainty)| Step::Settle { hold, cost, certainty }),
        2 => hold.clone().prop_map(|hold| Step::ChargeHold { hold }),
        4 => (hold.clone(), lease()).prop_map(|(hold, lease)| Step::Void { hold, lease }),
        2 => (hold.clone(), lease()).prop_map(|(hold, lease)| Step::Keep { hold, lease }),
        2 => (hold.clone(), amount()).prop_map(|(hold, cost)| Step::SettleKept { hold, cost }),
        4 => (hold, lease(), amount()).prop_map(|(hold, lease, raise)| Step::Renew { hold, lease, raise }),
        4 => Just(Step::Sweep),
        4 => (token.clone(), kind, prop::option::weighted(0.8, balance()), prop::bool::weighted(0.7), prop::option::weighted(0.2, (period(), balance())), expiry())
            .prop_map(|(token, kind, balance, active, reset, expires)| Step::Create { token, kind, balance, active, reset, expires }),
        6 => (token.clone(), patch()).prop_map(|(token, patch)| Step::Update { token, patch }),
        1 => (token.clone(), prop_oneof![Just(0_u64), 1..120_000_u64]).prop_map(|(token, grace)| Step::Rotate { token, grace }),
        1 => token.prop_map(|token| Step::Delete { token }),
        3 => prop::option::weighted(0.8, balance()).prop_map(Step::Credits),
        1 => Just(Step::Reopen),
    ]
}

/// A few tokens, then whatever happens.
pub(in crate::ledger) fn script(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let made = |token: usize, reset: Option<(ResetPeriod, i64)>| Step::Create {
        token,
        kind: TokenKind::Api,
        balance: Some(12_345),
        active: token != 2,
        reset,
        expires: None,
    };
    let first = [made(0, None), made(1, Some((ResetPeriod::Daily, 9_000))), made(2, None)];
    prop::collection::vec(step(), 1..steps).prop_map(move |steps| first.iter().cloned().chain(steps).collect())
}

pub(in crate::ledger) fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos).unwrap()
}

pub(in crate::ledger) fn hold_id(number: usize) -> HoldId {
    HoldId((number as u128).to_be_bytes())
}

/// The id under which a hold lives on.
pub(in crate::ledger) fn kept_id(hold: HoldId) -> HoldId {
    HoldId((u128::from_be_bytes(hold.0) | 1 << 100).to_be_bytes())
}

pub(in crate::ledger) fn label(feature: &str) -> Arc<ChargeLabel> {
    Arc::new(ChargeLabel { provider: "openai".into(), model: "gpt".into(), feature: feature.into() })
}

/// Turns drawn steps into actions, and the time.
pub(in crate::ledger) struct Player {
    pub(in crate::ledger) now: Timestamp,
    holds: usize,
    secrets: usize,
    /// For each name: the token that has it, with its secrets, newest last.
    names: [(TokenId, Vec<Secret>); NAMES],
    next_token: u64,
}

impl Player {
    pub(in crate::ledger) fn new() -> Self {
        let nobody = || (TokenId(0), vec![Secret::presented("none".into())]);
        Self { now: "2026-01-29T22:00:00Z".parse().unwrap(), holds: 0, secrets: 0, names: std::array::from_fn(|_| nobody()), next_token: 1 }
    }

    fn after(&self, millis: i64) -> Timestamp {
        Timestamp::from_millisecond(self.now.as_millisecond() + millis).unwrap()
    }

    fn earlier_hold(&self, ago: usize) -> HoldId {
        hold_id(self.holds.saturating_sub(ago))
    }

    fn secret(&mut self) -> Secret {
        self.secrets += 1;
        Secret::presented(format!("sg_live_{}{:040}", self.secrets, self.secrets))
    }

    /// None where only time passes, or where the step makes no sense: `may_repeat` says whether a hold id may still be admitted.
    pub(in crate::ledger) fn action(&mut self, step: &Step, may_repeat: impl FnOnce(HoldId) -> bool) -> Option<Action> {
        let name = |token: usize| format!("token-{token}");
        Some(match step {
            Step::Advance(millis) => {
                self.now = self.after(*millis);
                return None;
            }
            Step::Admit { token, repeat, want, least, lease, old_secret } => {
                let hold = repeat.map(|ago| self.earlier_hold(ago)).filter(|hold| may_repeat(*hold)).unwrap_or_else(|| {
                    self.holds += 1;
                    hold_id(self.holds)
                });
                let (id, secrets) = &self.names[*token];
                let secret = if *old_secret { secrets.first() } else { secrets.last() };
                let (want, least) = (usd(*want.max(least)), usd(*want.min(least)));
                Action::Admit(AdmitRequest {
                    hold,
                    token: *id,
                    secret: secret.unwrap().hash(),
                    want,
                    least,
                    lease: Duration::from_millis(*lease),
                    label: label("admitted"),
                })
            }
            Step::Settle { hold, cost, certainty } => Action::Settle(Settlement {
                hold: self.earlier_hold(*hold),
                cost: usd(*cost),
                certainty: *certainty,
                usage: Usage::default().with(Unit::Input, 7).with(Unit::Output, 3),
                label: label("settled"),
                price_version: "v1".into(),
            }),
            Step::ChargeHold { hold } => Action::ChargeHold(self.earlier_hold(*hold)),
            // Sometimes the void is there before the admission.
            Step::Void { hold, lease } if *hold == 3 => Action::Void(hold_id(self.holds + 1), Duration::from_millis(*lease)),
            Step::Void { hold, lease } => Action::Void(self.earlier_hold(*hold), Duration::from_millis(*lease)),
            Step::Keep { hold, lease } => {
                let hold = self.earlier_hold(*hold);
                Action::Keep(hold, kept_id(hold), Duration::from_millis(*lease))
            }
            Step::SettleKept { hold, cost } => Action::Settle(Settlement {
                hold: kept_id(self.earlier_hold(*hold)),
                cost: usd(*cost),
                certainty: Certainty::Exact,
                usage: Usage::default(),
                label: Arc::default(),
                price_version: Arc::default(),
            }),
            Step::Renew { hold, lease, raise } => {
                Action::Renew(Renewal { hold: self.earlier_hold(*hold), lease: Duration::from_millis(*lease), raise_to: usd(*raise) })
            }
            Step::Sweep => Action::Sweep,
            Step::Create { token, kind, balance, active, reset, expires } => {
                let secret = self.secret();
                let reset = reset.map(|(period, amount)| BudgetReset { period, amount: usd(amount) });
                let expire_time = expires.map(|millis| self.after(millis));
                let new = NewToken { name: name(*token), kind: *kind, balance: balance.map(usd), active_balance: *active, expire_time, reset };
                Action::Create(new, secret)
            }
            Step::Update { token, patch } => {
                let patch = TokenPatch {
                    balance: patch.balance.map(|balance| balance.map(usd)),
                    active_balance: patch.active,
                    expire_time: patch.expires.map(|expires| expires.map(|millis| self.after(millis))),
                    reset_period: patch.period,
                    reset_amount: patch.amount.map(|amount| amount.map(usd)),
                };
                Action::Update(name(*token), patch)
            }
            Step::Rotate { token, grace } => {
                let secret = self.secret();
                Action::Rotate(name(*token), secret, Duration::from_millis(*grace))
            }
            Step::Delete { token } => Action::Delete(name(*token)),
            Step::Credits(credits) => Action::Credits(credits.map(usd)),
            Step::Reopen => Action::Reopen,
        })
    }

    /// Remembers which secrets were given out.
    pub(in crate::ledger) fn learn(&mut self, action: &Action, reply: &Reply) {
        let Reply::Token(Some(Ok(view))) = reply else { return };
        let slot: usize = view.name.trim_start_matches("token-").parse().unwrap();
        match action {
            Action::Create(_, secret) => {
                assert_eq!(view.id.0, self.next_token, "ids are never used again");
                self.next_token += 1;
                self.names[slot] = (view.id, vec![secret.clone()]);
            }
            Action::Rotate(_, secret, _) => self.names[slot].1.push(secret.clone()),
            _ => {}
        }
    }
}
