//! A second opinion on the rules: no indexes, no running sums, no laziness. Whatever is held is counted anew each time, and resets happen at their hour.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::script::{ACCOUNT, Action, Figures, Player, Reply, Step, Subject, usd};
use crate::ledger::rules::AdmitReply;
use crate::ledger::types::{AdmitRequest, Admitted, BudgetScope, BudgetState, Denied, HoldId, Renewed, Settled};
use crate::money::Usd;
use crate::tokens::{BudgetReset, NewToken, ResetPeriod, Secret, SecretHash, TokenId, TokenKind, TokenPatch, TokenRuleError, TokenView};

const WEEK: i64 = 7 * 86_400_000;

#[derive(Default)]
pub(in crate::ledger) struct Model {
    tokens: Vec<Token>,
    holds: HashMap<HoldId, Hold>,
    credits: Option<i64>,
    credits_set: u64,
}

struct Token {
    view: TokenView,
    secrets: Vec<(SecretHash, Option<i64>)>,
    balance: Option<i64>,
    spent: i64,
    balance_set: u64,
    deleted: bool,
}

#[derive(Clone, Copy)]
struct Hold {
    token: usize,
    amount: i64,
    on_token: bool,
    on_account: bool,
    end: i64,
    state: Held,
}

#[derive(Clone, Copy, PartialEq)]
enum Held {
    Live,
    Over,
    Expired { until: i64, token_set: u64, account_set: u64 },
    Refused { until: i64 },
}

/// Plays a script against a subject and the model, and compares answers and figures after each step.
pub(in crate::ledger) fn compare<S: Subject>(subject: &mut S, steps: &[Step], check: impl Fn(&S) -> Result<(), String>) -> Result<(), String> {
    let mut player = Player::new();
    let mut model = Model::default();
    for step in steps {
        let now = player.now;
        if let Some(action) = player.action(step, |hold| model.may_repeat(hold, now)) {
            let (is, should) = (subject.act(now, &action), model.act(now, &action));
            if is != should {
                return Err(format!("{action:?}: answered {is:?}, should be {should:?}"));
            }
            player.learn(&action, &should);
        }
        let (is, should) = (subject.figures(player.now), model.figures(player.now));
        if is != should {
            return Err(format!("after {step:?}: {is:?}, should be {should:?}"));
        }
        check(subject)?;
    }
    Ok(())
}

fn midnight(period: ResetPeriod, now: i64) -> i64 {
    let mut day = now.div_euclid(86_400_000);
    loop {
        day += 1;
        let date = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(day * 86_400_000).unwrap()).date();
        let begins = match period {
            ResetPeriod::Daily => true,
            ResetPeriod::Weekly => date.weekday() == Weekday::Monday,
            ResetPeriod::Monthly => date.day() == 1,
        };
        if begins {
            return day * 86_400_000;
        }
    }
}

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}

impl Model {
    /// Whether the gateway may ask again for the admission of an id: not after its request has ended.
    pub(in crate::ledger) fn may_repeat(&self, hold: HoldId, now: Timestamp) -> bool {
        match self.holds.get(&hold).map(|hold| hold.state) {
            None | Some(Held::Live) => true,
            Some(Held::Over) => false,
            Some(Held::Refused { until } | Held::Expired { until, .. }) => now.as_millisecond() < until,
        }
    }

    fn held(&self, stands: impl Fn(&Hold) -> bool) -> i64 {
        self.holds.values().filter(|hold| hold.state == Held::Live && stands(hold)).map(|hold| hold.amount).sum()
    }

    fn token_held(&self, token: usize) -> i64 {
        self.held(|hold| hold.token == token && hold.on_token)
    }

    fn account_held(&self) -> i64 {
        self.held(|hold| hold.on_account)
    }

    fn resets(&mut self, now: i64) {
        for token in self.tokens.iter_mut().filter(|token| !token.deleted) {
            if let (Some(reset), Some(at)) = (token.view.reset, token.view.resets_at)
                && at.as_millisecond() <= now
            {
                token.balance = Some(reset.amount.nanos());
                token.balance_set += 1;
                token.view.resets_at = Some(time(midnight(reset.period, now)));
            }
        }
    }

    /// Takes money off whatever the hold stands on and that has a balance.
    fn charge(&mut self, hold: &Hold, cost: i64, on_token: bool, on_account: bool) -> Option<Usd> {
        let token = &mut self.tokens[hold.token];
        token.spent += cost;
        let mut left = Vec::new();
        if let Some(balance) = token.balance.as_mut().filter(|_| on_token) {
            *balance -= cost;
            left.push(*balance);
        }
        if let Some(balance) = self.credits.as_mut().filter(|_| on_account) {
            *balance -= cost;
            left.push(*balance);
        }
        left.into_iter().min().map(usd)
    }

    fn expire(&mut self, now: i64, most: usize) {
        let mut due: Vec<_> = self.holds.iter().filter(|(_, hold)| hold.state == Held::Live && hold.end <= now).map(|(id, hold)| (hold.end, *id)).collect();
        due.sort_unstable();
        for (_, id) in due.into_iter().take(most) {
            let hold = self.holds[&id];
            self.charge(&hold, hold.amount, hold.on_token, hold.on_account);
            let state = Held::Expired { until: now + WEEK, token_set: self.tokens[hold.token].balance_set, account_set: self.credits_set };
            self.holds.get_mut(&id).unwrap().state = state;
        }
    }

    fn admit(&mut self, now: i64, request: &AdmitRequest) -> AdmitReply {
        let no = AdmitReply::Denied;
        let opens = |token: &Token| !token.deleted && token.secrets.iter().any(|(hash, end)| *hash == request.secret && end.is_none_or(|end| now < end));
        let Some(index) = self.tokens.iter().position(|token| token.view.id == request.token && opens(token)) else { return no(Denied::Unknown) };
        self.expire(now, 16);
        match self.holds.get(&request.hold).copied() {
            Some(hold) if hold.state == Held::Live && hold.token == index => return self.granted(&hold),
            Some(hold) if hold.state == Held::Live => return no(Denied::Voided),
            Some(Hold { state: Held::Expired { until, .. } | Held::Refused { until }, .. }) if now < until => return no(Denied::Voided),
            _ => {}
        }
        let token = &self.tokens[index];
        if let Some(since) = token.view.expire_time.filter(|end| end.as_millisecond() <= now) {
            return no(Denied::Expired { since });
        }
        if token.view.kind == TokenKind::Sandbox {
            self.tokens[index].view.last_used_at = Some(time(now));
            return AdmitReply::Granted { admitted: Admitted { amount: Usd::ZERO, budgeted: false, free_after: None }, held: false };
        }
        let (want, least) = (request.want.nanos(), request.least.nanos());
        let mut budgets = Vec::new();
        let own = token.balance.filter(|_| token.view.active_balance);
        if let Some(balance) = own {
            budgets.push((BudgetScope::Token, token.view.name.clone(), balance, self.token_held(index), token.view.resets_at));
        }
        if let Some(balance) = self.credits {
            budgets.push((BudgetScope::Account, ACCOUNT.to_owned(), balance, self.account_held(), None));
        }
        let state = |(scope, name, balance, held, resets_at): &(BudgetScope, String, i64, i64, Option<Timestamp>)| BudgetState {
            scope: *scope,
            name: name.clone(),
            balance: usd(*balance),
            held: usd(*held),
            asked: request.least,
            resets_at: *resets_at,
        };
        if let Some(short) = budgets.iter().filter(|budget| budget.2 <= 0 || budget.2 < least).min_by_key(|budget| budget.2) {
            return no(Denied::Exhausted(state(short)));
        }
        let mut amount = want;
        if let Some(tightest) = budgets.iter().min_by_key(|budget| budget.2 - budget.3) {
            amount = want.min(tightest.2 - tightest.3);
            if amount < least {
                return no(Denied::Held(state(tightest)));
            }
        } else {
            amount -= amount;
        }
        let hold =
            Hold { token: index, amount, on_token: own.is_some(), on_account: self.credits.is_some(), end: now + millis(request.lease), state: Held::Live };
        self.holds.insert(request.hold, hold);
        self.tokens[index].view.last_used_at = Some(time(now));
        self.granted(&hold)
    }

    fn granted(&self, hold: &Hold) -> AdmitReply {
        let own = self.tokens[hold.token].balance.filter(|_| hold.on_token).map(|balance| balance - self.token_held(hold.token));
        let account = self.credits.filter(|_| hold.on_account).map(|balance| balance - self.account_held());
        let free_after = own.into_iter().chain(account).min().map(usd);
        AdmitReply::Granted { admitted: Admitted { amount: usd(hold.amount), budgeted: hold.on_token || hold.on_account, free_after }, held: true }
    }

    /// Ends a hold; `cost` is none where nobody knows it. `void`: gives it back.
    fn settle(&mut self, now: i64, id: HoldId, cost: Option<i64>, void: bool) -> Settled {
        let Some(hold) = self.holds.get(&id).copied() else { return Settled::default() };
        let budgeted = hold.on_token || hold.on_account;
        match hold.state {
            Held::Live => {
                self.holds.get_mut(&id).unwrap().state = Held::Over;
                if void {
                    return Settled::default();
                }
                let cost = cost.unwrap_or(hold.amount);
                let balance = self.charge(&hold, cost, hold.on_token, hold.on_account);
                Settled { charged: true, overrun: usd(if budgeted { (cost - hold.amount).max(0) } else { 0 }), balance }
            }
            Held::Expired { until, token_set, account_set } if now < until && (cost.is_some() || void) => {
                self.holds.get_mut(&id).unwrap().state = Held::Refused { until };
                let cost = cost.unwrap_or(0);
                let cost = if budgeted { cost.min(hold.amount) } else { cost };
                let on_token = hold.on_token && self.tokens[hold.token].balance_set == token_set;
                let on_account = hold.on_account && self.credits_set == account_set;
                let balance = self.charge(&hold, cost - hold.amount, on_token, on_account);
                Settled { charged: true, overrun: Usd::ZERO, balance }
            }
            _ => Settled::default(),
        }
    }

    fn void(&mut self, now: i64, id: HoldId, lease: Duration) {
        let gone = match self.holds.get(&id).map(|hold| hold.state) {
            None => true,
            Some(Held::Refused { until } | Held::Expired { until, .. }) => until <= now,
            // How long an admission that nobody makes would be refused depends on how often the void arrives.
            Some(Held::Live | Held::Over) => false,
        };
        if gone {
            let state = Held::Refused { until: now + millis(lease) };
            self.holds.insert(id, Hold { token: 0, amount: 0, on_token: false, on_account: false, end: 0, state });
        } else {
            self.settle(now, id, None, true);
        }
    }

    fn keep(&mut self, now: i64, id: HoldId, kept: HoldId, lease: Duration) {
        let Some(hold) = self.holds.get_mut(&id).filter(|hold| hold.state == Held::Live) else { return };
        let lives_on = Hold { end: now + millis(lease), ..*hold };
        hold.state = Held::Over;
        self.holds.insert(kept, lives_on);
    }

    fn renew(&mut self, now: i64, id: HoldId, lease: Duration, raise_to: i64) -> Renewed {
        let Some(hold) = self.holds.get(&id).copied().filter(|hold| hold.state == Held::Live) else { return Renewed::Gone };
        let token = &self.tokens[hold.token];
        let deleted = token.deleted;
        let raise = if hold.on_token || hold.on_account { (raise_to - hold.amount).max(0) } else { 0 };
        let token_left = token.balance.filter(|_| hold.on_token).map(|balance| (balance - self.token_held(hold.token), self.token_held(hold.token)));
        let account_left = self.credits.filter(|_| hold.on_account).map(|balance| (balance - self.account_held(), self.account_held()));
        let least = match (token_left, account_left) {
            _ if token.deleted => Some((0, hold.amount)),
            (Some(one), Some(other)) if other.0 < one.0 => Some(other),
            (Some(one), _) => Some(one),
            (None, other) => other,
        };
        let live = self.holds.get_mut(&id).unwrap();
        live.end = live.end.max(now + millis(lease));
        if let Some((free, held)) = least.filter(|(free, _)| raise > 0 && (*free < raise || deleted)) {
            return Renewed::NotRaised { free: usd(free), others: usd(held - hold.amount) };
        }
        live.amount += raise;
        Renewed::Done
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.tokens.iter().position(|token| !token.deleted && token.view.name == name)
    }

    fn create(&mut self, now: i64, new: &NewToken, secret: &Secret) -> Result<TokenView, Vec<TokenRuleError>> {
        let balance = new.balance.or(new.reset.map(|reset| reset.amount));
        let active_balance = new.active_balance || new.reset.is_some();
        let mut errors = Vec::new();
        if self.named(&new.name).is_some() {
            errors.push(TokenRuleError::NameTaken);
        }
        if active_balance && balance.is_none() {
            errors.push(TokenRuleError::NoBalanceToEnforce);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let view = TokenView {
            id: TokenId(self.tokens.len() as u64 + 1),
            account: ACCOUNT.into(),
            name: new.name.clone(),
            kind: new.kind,
            masked_secret: secret.masked(),
            balance,
            active_balance,
            reset: new.reset,
            resets_at: new.reset.map(|reset| time(midnight(reset.period, now))),
            held: Usd::ZERO,
            spent: Usd::ZERO,
            expire_time: new.expire_time,
            created_at: time(now),
            last_used_at: None,
        };
        let secrets = vec![(secret.hash(), None)];
        self.tokens.push(Token { view, secrets, balance: balance.map(Usd::nanos), spent: 0, balance_set: 0, deleted: false });
        Ok(self.view(self.tokens.len() - 1))
    }

    fn update(&mut self, now: i64, index: usize, patch: &TokenPatch) -> Result<TokenView, Vec<TokenRuleError>> {
        let old = self.view(index);
        let old_period = old.reset.map(|reset| reset.period);
        let period = patch.reset_period.unwrap_or(old_period);
        let amount = patch.reset_amount.unwrap_or(old.reset.map(|reset| reset.amount));
        if period.is_some() && amount.is_none() {
            return Err(vec![TokenRuleError::NoResetAmount]);
        }
        let begins = period.is_some() && period != old_period;
        let named = matches!(patch.reset_period, Some(Some(_)));
        let active = match patch.active_balance {
            _ if begins => true,
            Some(active) => active,
            None => old.active_balance || named,
        };
        let balance = match patch.balance.unwrap_or(old.balance) {
            None if period.is_some() && (begins || (active && !old.active_balance)) => amount,
            balance => balance,
        };
        if active && balance.is_none() {
            return Err(vec![TokenRuleError::NoBalanceToEnforce]);
        }
        let token = &mut self.tokens[index];
        if balance != old.balance {
            token.balance = balance.map(Usd::nanos);
            token.balance_set += 1;
        }
        token.view.active_balance = active;
        token.view.reset = period.map(|period| BudgetReset { period, amount: amount.unwrap() });
        token.view.resets_at = period.and_then(|period| if begins { Some(time(midnight(period, now))) } else { old.resets_at });
        token.view.expire_time = patch.expire_time.unwrap_or(old.expire_time);
        Ok(self.view(index))
    }

    fn view(&self, index: usize) -> TokenView {
        let token = &self.tokens[index];
        TokenView { balance: token.balance.map(usd), held: usd(self.token_held(index)), spent: usd(token.spent), ..token.view.clone() }
    }
}

impl Subject for Model {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply {
        let now = now.as_millisecond();
        self.resets(now);
        match action {
            Action::Admit(request) => Reply::Admit(self.admit(now, request)),
            Action::Settle(settlement) => Reply::Settle(self.settle(now, settlement.hold, Some(settlement.cost.nanos()), false)),
            Action::ChargeHold(hold) => Reply::Settle(self.settle(now, *hold, None, false)),
            Action::Void(hold, lease) => {
                self.void(now, *hold, *lease);
                Reply::Nothing
            }
            Action::Keep(hold, kept, lease) => {
                self.keep(now, *hold, *kept, *lease);
                Reply::Settle(Settled::default())
            }
            Action::Renew(renewal) => Reply::Renew(self.renew(now, renewal.hold, renewal.lease, renewal.raise_to.nanos())),
            Action::Sweep | Action::Reopen => {
                self.expire(now, usize::MAX);
                Reply::Nothing
            }
            Action::Create(new, secret) => Reply::Token(Some(self.create(now, new, secret))),
            Action::Update(name, patch) => Reply::Token(self.named(name).map(|index| self.update(now, index, patch))),
            Action::Rotate(name, secret, grace) => Reply::Token(self.named(name).map(|index| {
                let token = &mut self.tokens[index];
                let end = now + millis(*grace);
                for (_, old) in &mut token.secrets {
                    *old = Some(old.map_or(end, |old| old.min(end)));
                }
                token.secrets.push((secret.hash(), None));
                token.view.masked_secret = secret.masked();
                Ok(self.view(index))
            })),
            Action::Delete(name) => Reply::Known(self.named(name).map(|index| self.tokens[index].deleted = true).is_some()),
            Action::Credits(credits) => {
                let credits = credits.map(Usd::nanos);
                if self.credits != credits {
                    self.credits = credits;
                    self.credits_set += 1;
                }
                Reply::Known(true)
            }
        }
    }

    fn figures(&mut self, now: Timestamp) -> Figures {
        self.resets(now.as_millisecond());
        let live = (0..self.tokens.len()).filter(|index| !self.tokens[*index].deleted);
        Figures { tokens: live.map(|index| self.view(index)).collect(), credits: self.credits.map(usd) }
    }
}
