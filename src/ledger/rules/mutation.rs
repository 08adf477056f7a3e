//! Planted bugs. The tests switch one on at a time and demand that the property suite notices; outside tests there are none, and the compiler drops the question.

/// A mistake that these rules could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    /// Admission looks at the balance, not at what others hold of it.
    IgnoreHeld,
    /// Admission forgets the account's budget.
    IgnoreAccount,
    /// A settled hold stays live, so that it can be settled again.
    SettleTwice,
    /// A settlement frees only the token's budget of the hold.
    LeakAccountHold,
    /// A late settlement may also raise the charge.
    CorrectUp,
    /// A late settlement corrects as often as it comes.
    CorrectTwice,
    /// A correction is paid into a balance that was set after the charge.
    CorrectIntoNewBalance,
    /// Expired holds are given back.
    ExpireFrees,
    /// Voiding an id that is not there leaves nothing behind.
    VoidForgets,
    /// A charge stops at the hold.
    CapAtHold,
    /// A reset drops what is held.
    ResetDropsHolds,
    /// A due reset waits for the next one.
    SkipReset,
    /// Amounts are cut to whole micro-dollars.
    RoundDown,
    /// A hold made without a budget is charged to one that was switched on since.
    ChargeSwitchedBudget,
    /// A raise takes what the budget has not.
    RaiseUnchecked,
    /// The same hold id holds twice.
    RepeatHolds,
    /// Everything is "exhausted", even when only others are in the way.
    NeverHeld,
    /// A balance of nothing still admits free requests.
    AdmitAtZero,
    /// A hold of a deleted token is not charged.
    DeletedIsFree,
    /// A hold that lives on under another id sets nothing aside any more.
    KeepFrees,
    /// A hold that lives on under another id lives on under its own too.
    KeepTwice,
}

#[cfg(not(test))]
pub(super) const fn mutated(_: Mutation) -> bool {
    false
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mutation>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(super) fn mutated(mutation: Mutation) -> bool {
    PLANTED.get() == Some(mutation)
}

/// Plants a bug in the rules as this thread runs them, until told otherwise.
#[cfg(test)]
pub(super) fn plant(mutation: Option<Mutation>) {
    PLANTED.set(mutation);
}

#[cfg(test)]
impl Mutation {
    pub(super) const ALL: [Self; 21] = [
        Self::IgnoreHeld,
        Self::IgnoreAccount,
        Self::SettleTwice,
        Self::LeakAccountHold,
        Self::CorrectUp,
        Self::CorrectTwice,
        Self::CorrectIntoNewBalance,
        Self::ExpireFrees,
        Self::VoidForgets,
        Self::CapAtHold,
        Self::ResetDropsHolds,
        Self::SkipReset,
        Self::RoundDown,
        Self::ChargeSwitchedBudget,
        Self::RaiseUnchecked,
        Self::RepeatHolds,
        Self::NeverHeld,
        Self::AdmitAtZero,
        Self::DeletedIsFree,
        Self::KeepFrees,
        Self::KeepTwice,
    ];
}
