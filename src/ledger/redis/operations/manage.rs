//! Accounts and tokens: made, changed, shown.

use std::time::Duration;

use super::{Answered, Operations, unexpected};
use crate::ledger::redis::codec::{Arguments, Reply, senseless};
use crate::ledger::redis::keys::unhex;
use crate::ledger::redis::records::{Facts, Figures, Identity};
use crate::ledger::redis::script::{CallError, Name, Run};
use crate::money::Usd;
use crate::tokens::{NewToken, SecretHash, TokenId, TokenPatch, TokenRuleError, TokenView};

/// What became of an account that was to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ensured {
    /// It is new.
    pub(crate) created: bool,
    /// It has a main key now.
    pub(crate) has_main_key: bool,
    /// The id that it has: another one than was given, where the hash of accounts had lost it.
    pub(crate) id: u32,
    /// The main key that it had before; opens nothing any more where another one was given.
    pub(crate) main_key_before: Option<SecretHash>,
}

/// A token that was given a new secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// As it is now.
    pub(crate) view: TokenView,
    /// Secrets that open nothing any more.
    pub(crate) dropped: Vec<SecretHash>,
}

impl<R: Run> Operations<R> {
    /// Gives an account its id, the same for ever. `known`: the one it has, where the hash of accounts may have lost it.
    ///
    /// # Errors
    /// When there is no answer. It may be repeated.
    pub(crate) async fn allocate_account(&self, account: &str, known: Option<u32>) -> Answered<u32> {
        let arguments = Arguments::default().text(account).optional(known, |arguments, id| arguments.text(id.to_string()));
        self.plain(account, Name::Account, arguments, |reply| reply.number()).await
    }

    /// Makes an account unless it is there, and sets its main key where one is given.
    ///
    /// # Errors
    /// When there is no answer. It may be repeated.
    pub(crate) async fn ensure_account(&self, account: &str, id: u32, main_key: Option<SecretHash>) -> Answered<Ensured> {
        let arguments = Arguments::default().text("").text(account).text(id.to_string()).optional(main_key, |arguments, key| arguments.secret(&key));
        self.plain(account, Name::EnsureAccount, arguments, |reply| {
            let (created, has_main_key, id, before) = (reply.flag()?, reply.flag()?, reply.number()?, reply.text()?);
            Ok(Ensured { created, has_main_key, id, main_key_before: unhex(&before).map(SecretHash) })
        })
        .await
    }

    /// Sets the account's own balance; none takes its budget away.
    ///
    /// # Errors
    /// When there is no answer. It may be repeated.
    pub(crate) async fn set_credits(&self, account: &str, identity: &str, balance: Option<Usd>) -> Answered<()> {
        self.dated(account, Name::SetCredits, identity, Arguments::default().optional(balance, Arguments::amount), |_| Ok(())).await
    }

    /// The account's own balance; none where it has no budget.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn credits(&self, account: &str) -> Answered<Option<Usd>> {
        self.plain(account, Name::View, Arguments::default().text("").text("credits"), Reply::optional_amount).await
    }

    /// Makes a token. Inside, every rule that it breaks.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be made.
    pub(crate) async fn create_token(
        &self,
        account: &str,
        identity: &str,
        new: &NewToken,
        secret: &SecretHash,
        masked: &str,
    ) -> Answered<Result<TokenView, Vec<TokenRuleError>>> {
        let arguments = Arguments::default()
            .text(new.name.as_str())
            .text(new.kind.name())
            .secret(secret)
            .text(masked)
            .optional(new.balance, Arguments::amount)
            .flag(new.active_balance)
            .text(new.reset.map_or("", |reset| reset.period.name()))
            .optional(new.reset, |arguments, reset| arguments.amount(reset.amount))
            .optional(new.expire_time, Arguments::moment);
        self.dated(account, Name::CreateToken, identity, arguments, |reply| self.changed(reply, account)?.ok_or_else(|| unexpected(reply))).await
    }

    /// Changes a token, or only tries to and shows what it would be. None: no such token. Inside, every rule that it breaks.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be changed.
    pub(crate) async fn update_token(
        &self,
        account: &str,
        identity: &str,
        name: &str,
        patch: &TokenPatch,
        dry_run: bool,
    ) -> Answered<Option<Result<TokenView, Vec<TokenRuleError>>>> {
        let arguments = Arguments::default()
            .text(name)
            .flag(dry_run)
            .patch(patch.balance, Arguments::amount)
            .patch(patch.active_balance.map(Some), Arguments::flag)
            .patch(patch.expire_time, Arguments::moment)
            .patch(patch.reset_period, |arguments, period| arguments.text(period.name()))
            .patch(patch.reset_amount, Arguments::amount);
        self.dated(account, Name::UpdateToken, identity, arguments, |reply| self.changed(reply, account)).await
    }

    /// Gives a token a new secret; the old ones end with the grace period. None: no such token.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be rotated.
    pub(crate) async fn rotate_token(
        &self,
        account: &str,
        identity: &str,
        name: &str,
        (secret, masked): (&SecretHash, &str),
        grace: Duration,
    ) -> Answered<Option<Rotated>> {
        let arguments = Arguments::default().text(name).secret(secret).text(masked).duration(grace);
        self.dated(account, Name::RotateToken, identity, arguments, |reply| match reply.outcome.as_str() {
            "view" => Ok(Some(Rotated { view: self.view_in(reply, account)?, dropped: reply.secrets()? })),
            "none" => Ok(None),
            _ => Err(unexpected(reply)),
        })
        .await
    }

    /// Deletes a token. The secrets that open nothing any more; none: no such token.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be deleted.
    pub(crate) async fn delete_token(&self, account: &str, identity: &str, name: &str) -> Answered<Option<Vec<SecretHash>>> {
        self.dated(account, Name::DeleteToken, identity, Arguments::default().text(name), |reply| match reply.outcome.as_str() {
            "deleted" => reply.text().and_then(|_| reply.secrets()).map(Some),
            "none" => Ok(None),
            _ => Err(unexpected(reply)),
        })
        .await
    }

    /// The live token of the account that a secret opens.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn facts_by_secret(&self, account: &str, secret: &SecretHash) -> Answered<Option<Facts>> {
        let arguments = Arguments::default().text("").text("secret").secret(secret);
        let (answer, stamp) = self.plain(account, Name::Facts, arguments, |reply| facts(reply, account)).await?;
        let opens = |facts: &Facts| facts.secrets.iter().any(|stored| stored.hash.matches(secret) && stored.ends_at.is_none_or(|end| stamp.now < end));
        Ok((
            match answer {
                super::Answer::Done(facts) => super::Answer::Done(facts.filter(opens)),
                other => other,
            },
            stamp,
        ))
    }

    /// A live token of the account by its id, as the stages before admission need it.
    ///
    /// # Errors
    /// When there is no answer.
    #[cfg(test)]
    pub(crate) async fn facts_by_token(&self, account: &str, token: TokenId) -> Answered<Option<Facts>> {
        let arguments = Arguments::default().text("").text("token").text(token.0.to_string());
        self.plain(account, Name::Facts, arguments, |reply| facts(reply, account)).await
    }

    /// A live token by its name.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn view_named(&self, account: &str, name: &str) -> Answered<Option<TokenView>> {
        self.plain(account, Name::View, Arguments::default().text("").text("name").text(name), |reply| self.shown(reply, account)).await
    }

    /// A live token by its id.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn view(&self, account: &str, token: TokenId) -> Answered<Option<TokenView>> {
        self.plain(account, Name::View, Arguments::default().text("").text("token").text(token.0.to_string()), |reply| self.shown(reply, account)).await
    }

    /// Up to `most` live tokens after the token `after`, in order of creation. At most about 1,000 at a time: the account waits meanwhile.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn views_after(&self, account: &str, after: TokenId, most: usize) -> Answered<Vec<TokenView>> {
        let arguments = Arguments::default().text("").text(after.0.to_string()).text(most.to_string());
        self.plain(account, Name::ViewsAfter, arguments, |reply| {
            let mut views = Vec::new();
            while let Some(id) = reply.more() {
                views.push(self.view_of(&id, reply, account)?);
            }
            Ok(views)
        })
        .await
    }

    /// A token's view, its errors, or nothing where there is no such token.
    fn changed(&self, reply: &mut Reply, account: &str) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, CallError> {
        match reply.outcome.as_str() {
            "view" => Ok(Some(Ok(self.view_in(reply, account)?))),
            "none" => Ok(None),
            "refused" => {
                let mut errors = Vec::new();
                while let Some(error) = reply.more() {
                    errors.push(match error.as_str() {
                        "name_taken" => TokenRuleError::NameTaken,
                        "no_balance" => TokenRuleError::NoBalanceToEnforce,
                        "no_reset_amount" => TokenRuleError::NoResetAmount,
                        _ => return Err(senseless("a rule")),
                    });
                }
                Ok(Some(Err(errors)))
            }
            _ => Err(unexpected(reply)),
        }
    }

    fn shown(&self, reply: &mut Reply, account: &str) -> Result<Option<TokenView>, CallError> {
        match reply.outcome.as_str() {
            "view" => self.view_in(reply, account).map(Some),
            "none" => Ok(None),
            _ => Err(unexpected(reply)),
        }
    }

    fn view_in(&self, reply: &mut Reply, account: &str) -> Result<TokenView, CallError> {
        let id = reply.text()?;
        self.view_of(&id, reply, account)
    }

    fn view_of(&self, id: &str, reply: &mut Reply, account: &str) -> Result<TokenView, CallError> {
        let (identity, figures) = (Identity::read(&reply.text()?)?, Figures::read(&reply.text()?)?);
        Ok(identity.view(account, token_id(id)?, &figures, reply.stamp.now, self.calendar.zone()))
    }
}

fn token_id(text: &str) -> Result<TokenId, CallError> {
    text.parse().map(TokenId).map_err(|_| senseless("a token's id"))
}

fn facts(reply: &mut Reply, account: &str) -> Result<Option<Facts>, CallError> {
    match reply.outcome.as_str() {
        "facts" => {
            let (id, identity) = (token_id(&reply.text()?)?, Identity::read(&reply.text()?)?);
            Ok(Some(identity.facts(account, id)))
        }
        "none" => Ok(None),
        _ => Err(unexpected(reply)),
    }
}
