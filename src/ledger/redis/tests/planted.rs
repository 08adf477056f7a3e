//! Do the tests see anything? Each bug that is planted in the Lua sources, or on the way to them, must be caught by the sequences that the right scripts pass.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy, ValueTree};

use super::runner::Fault;
use super::scripts::{play, runner};
use super::subject::{manual, on_manual_clock};
use crate::ledger::redis::script::Scripts;
use crate::ledger::rules::tests::script::script;

/// More than enough: most bugs are caught within ten, the rarest by the 115th.
const SEQUENCES: usize = 600;
/// The same sequences each time: that a bug is caught does not depend on luck.
const SEED: u64 = 1;

/// What is wrong, in which file, what it says, and what it says instead.
type Bug = (&'static str, &'static str, &'static str, &'static str);

const BUGS: &[Bug] = &[
    ("admission looks at the balance, not at what others hold of it", "lib/free.lua", "budget.balance - budget.held, MAX", "budget.balance, MAX"),
    ("admission forgets the account's budget", "admit.lua", "local on_account = not sandbox and account.balance ~= nil", "local on_account = false"),
    ("the same hold id holds twice", "admit.lua", "if stored then", "if false then"),
    ("another token's hold is granted", "admit.lua", "if of ~= token then", "if false then"),
    ("everything is exhausted", "admit.lua", "budget.balance <= 0 or budget.balance < least", "budget.balance <= 0 or free_of(budget) < least"),
    ("a balance of nothing admits", "admit.lua", "budget.balance <= 0 or budget.balance < least", "budget.balance < least"),
    ("what was voided is admitted", "admit.lua", "if tombstone and now < tonumber(match(tombstone, '^%d+')) then", "if false then"),
    ("an admission expires nothing", "admit.lua", "  expire_all(due)\n", ""),
    ("an expired token is admitted", "admit.lua", "if now >= tonumber(expires) then", "if false then"),
    ("a rotated secret opens for ever", "admit.lua", "(secret_ends ~= '' and now >= tonumber(secret_ends))", "false"),
    ("sandbox tokens hold", "admit.lua", "local sandbox = says('\"kind\":\"sandbox_api_token\"')", "local sandbox = false"),
    ("all that is wanted is granted", "admit.lua", "amount = math.min(want, free_of(tightest))", "amount = want"),
    ("less than the least is granted", "admit.lua", "if amount < least then", "if amount < 0 then"),
    ("the account's lower balance is not named", "admit.lua", "account_short and account.balance < found.balance", "false"),
    ("an inactive balance is enforced", "admit.lua", "says('\"active\":\"1\"') and found.balance ~= nil", "found.balance ~= nil"),
    ("the last use is forgotten", "admit.lua", "used = now_text\n", ""),
    ("the account's budget is not held", "admit.lua", "  account.held = account.held + amount", "  account.held = account.held"),
    ("a settled hold stays live", "lib/charge.lua", "  push(hold_drops, id)\n", ""),
    ("a settlement frees only the token's budget", "lib/charge.lua", "account.held = account.held - hold.amount", "account.held = account.held"),
    ("a late settlement raises the charge", "lib/charge.lua", "cost = math.min(cost, hold.amount)", "cost = cost"),
    ("a late settlement corrects as often as it comes", "lib/charge.lua", "  push(tombstone_sets, id, tombstone.ends_at)\n", ""),
    ("a correction is paid into a token's new balance", "lib/charge.lua", "and figure(hold.token).sets == tombstone.token_sets", ""),
    ("a correction is paid into an account's new balance", "lib/charge.lua", "and account.sets == tombstone.account_sets", ""),
    ("expired holds are given back", "lib/charge.lua", "local bill = uncertain('expire', hold)", "local bill = uncertain('expire', hold)\n  bill.cost = 0"),
    ("a hold without a budget is charged to one", "lib/charge.lua", "bill.cost, hold.on_token, hold.on_account)", "bill.cost, true, hold.on_account)"),
    ("an expired tombstone still counts", "lib/charge.lua", "if now >= tonumber(ends_at) then", "if false then"),
    ("charges do not count as spent", "lib/charge.lua", "  found.spent = charge.spent\n", ""),
    (
        "a reset drops what is held",
        "lib/ledger.lua",
        "found.resets = tonumber(calendar[identity.period])",
        "found.resets, found.held = tonumber(calendar[identity.period]), 0",
    ),
    ("a due reset waits", "lib/ledger.lua", "not found.resets or now < found.resets", "true"),
    ("setting a balance is not counted", "lib/ledger.lua", "  budget.sets = budget.sets + 1\n", ""),
    ("leases are not taken away", "lib/ledger.lua", "  write('ZREM', LEASES, hold_drops)\n", ""),
    (
        "the usage of a day begins anew",
        "lib/records.lua",
        "text(requests_before + requests) .. ' ' .. text(cost_before + cost)",
        "text(requests) .. ' ' .. text(cost)",
    ),
    ("no journal of charges", "lib/ledger.lua", "  write('RPUSH', JOURNAL, journal)\n", ""),
    ("amounts are cut to whole micro-dollars", "settle.lua", "ARGV[7], tonumber(ARGV[8]),", "ARGV[7], math.floor(ARGV[8] / 1000) * 1000,"),
    ("a settlement leaves the hold", "settle.lua", "call('HDEL', HOLDS, id)\n", ""),
    ("a settlement leaves the lease", "settle.lua", "call('ZREM', LEASES, id)\n", ""),
    ("a settlement is not in the journal", "settle.lua", "call('RPUSH', JOURNAL, line)\n", ""),
    ("a settlement keeps the account's money held", "settle.lua", "text(account.held - amount)", "text(account.held)"),
    ("a settlement keeps the token's money held", "settle.lua", "on_token and text(held - amount) or held", "held"),
    ("a settlement stops at the hold", "settle.lua", "and balance - cost", "and balance - math.min(cost, amount)"),
    ("a settlement of a hold without a budget is charged to one", "settle.lua", "local token_left = on_token and balance", "local token_left = balance"),
    ("a settlement's overrun may be negative", "settle.lua", "math.max(cost - amount, 0)", "cost - amount"),
    ("a settlement does not count as spent", "settle.lua", "spent = spent + cost\n", ""),
    ("a settlement forgets a due reset", "settle.lua", "if not stored or (resets ~= '-' and now >= tonumber(resets)) then", "if not stored then"),
    ("a settlement is not counted for its day", "settle.lua", "call('HSET', USAGE, row, counted)\n", ""),
    ("an admission forgets a due reset", "admit.lua", "if #due > 0 or (resets ~= '-' and now >= tonumber(resets)) then", "if #due > 0 then"),
    ("an admission has no lease", "admit.lua", "call('ZADD', LEASES, lease_end, id)\n", ""),
    ("an admission is not held by its token", "admit.lua", "  held = text(found.held)\n", ""),
    ("a void leaves nothing behind", "void.lua", "  push(tombstone_end_sets, ends_at, id)\n", ""),
    ("a void refuses for no time", "void.lua", "text(later(ARGV[8]))", "text(now)"),
    ("the hold of a job lives on under its old id too", "keep.lua", "push(hold_drops, id)\n", ""),
    ("the hold of a job ends with its request", "keep.lua", "hold.lease_end = later(ARGV[9])\n", ""),
    ("a raise takes what the budget has not", "renew.lua", "if not free or free >= raise then", "if true then"),
    ("a raise forgets the account", "renew.lua", "    look(account)\n", ""),
    ("a renewal shortens the lease", "renew.lua", "math.max(hold.lease_end, later(lease))", "later(lease)"),
    ("a checkpoint forgets the one before", "trim.lua", "text(sum.balance + balance)", "text(sum.balance)"),
    ("trimming takes one entry more", "trim.lua", "call('LTRIM', JOURNAL, count, -1)", "call('LTRIM', JOURNAL, count + 1, -1)"),
    ("nothing keeps the keys", "ensure_account.lua", "    call('HSET', key, '', LONG)\n", ""),
    ("a period gives no first balance", "create_token.lua", "(period ~= '' and tonumber(reset_amount) or nil)", "nil"),
    ("names are given twice", "create_token.lua", "if call('HEXISTS', NAMES, name) == 1 then", "if false then"),
    (
        "the first balance is not in the journal",
        "create_token.lua",
        "note('grant', token, '', set_balance(found, balance), 0, 0, '')",
        "set_balance(found, balance)",
    ),
    ("a repeated period does not turn enforcement on", "update_token.lua", "was_active or repeated", "was_active"),
    ("turning enforcement on gives no balance", "update_token.lua", "(new_period or (active and not was_active))", "new_period"),
    ("a new period goes on with the old", "update_token.lua", "elseif new_period then", "elseif false then"),
    ("a deleted token's secrets stay", "delete_token.lua", "call('HDEL', NAMES, unpack(fields))", "call('HDEL', NAMES, fields[1])"),
    ("a deleted token stays", "delete_token.lua", "call('ZREM', LIVE, token)\n", "\n"),
    (
        "setting the account's balance is not counted",
        "set_credits.lua",
        "set_balance(account, balance), 0, '')",
        "(balance or 0) - (account.balance or 0), 0, '')\n  account.balance = balance",
    ),
];

/// Fewer would show little.
const _: () = assert!(BUGS.len() >= 20);

/// Plays sequences until one goes wrong. Which, and none where all go well.
fn caught(scripts: &'static Scripts, fault: Fault) -> Option<usize> {
    let mut runner = runner(SEED, 1);
    let sequences = script(80);
    (0..SEQUENCES).find(|_| {
        let steps = sequences.new_tree(&mut runner).unwrap().current();
        // A script that fails catches a bug as well as a comparison does.
        !matches!(catch_unwind(AssertUnwindSafe(|| play(&steps, scripts, fault))), Ok(Ok(())))
    })
}

fn planted((what, file, from, to): &Bug) -> &'static Scripts {
    let found = std::cell::Cell::new(0);
    let scripts = on_manual_clock(&|name, text| {
        if name == *file {
            found.set(text.matches(from).count());
            text.replace(from, to)
        } else {
            text.to_owned()
        }
    });
    assert_eq!(found.get(), 1, "{what}: {file} must say {from:?} once");
    Box::leak(Box::new(scripts))
}

fn each_is_caught(bugs: &[Bug]) {
    let mut missed = Vec::new();
    for bug in bugs {
        match caught(planted(bug), Fault::None) {
            Some(sequence) => eprintln!("{}: caught by sequence {sequence}", bug.0),
            None => missed.push(bug.0),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn bugs_in_the_first_half_of_the_list_are_caught() {
    each_is_caught(&BUGS[..BUGS.len() / 2]);
}

#[test]
fn bugs_in_the_second_half_of_the_list_are_caught() {
    each_is_caught(&BUGS[BUGS.len() / 2..]);
}

#[test]
fn mistakes_on_the_way_are_caught() {
    let faults = [Fault::NewHoldId, Fault::LateMidnight, Fault::EarlyMidnight, Fault::MixedPeriods, Fault::NoRaise, Fault::LeastIsWant, Fault::NeverDry];
    for fault in faults {
        let sequence = caught(manual(), fault);
        eprintln!("{fault:?}: caught by sequence {sequence:?}");
        assert!(sequence.is_some(), "{fault:?} is not caught");
    }
}
