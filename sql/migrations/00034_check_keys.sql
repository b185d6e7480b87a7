-- +goose Up
-- What statements find a check of Stripe's objects by, apart from its title, which control_totals has; again: of what was looked at because a break of it
-- was open.
ALTER TABLE reconciler.stripe_checks ADD COLUMN again boolean NOT NULL DEFAULT false;
UPDATE reconciler.stripe_checks SET again = true WHERE check_name LIKE '% again';
ALTER TABLE reconciler.stripe_checks RENAME COLUMN check_name TO control;
UPDATE reconciler.stripe_checks SET control = CASE regexp_replace(control, ',? again$', '')
    WHEN 'balance transactions' THEN 'balance_transactions'
    WHEN 'payouts' THEN 'payouts'
    WHEN 'Stripe balances' THEN 'balances'
    WHEN 'purchases at Stripe' THEN 'purchases'
    WHEN 'charges on the platform' THEN 'charges'
    WHEN 'refunds that stood' THEN 'refunds_stood'
    WHEN 'refunds whose credits were taken' THEN 'refunds_credits'
    WHEN 'refunds that the policy allows' THEN 'refunds_policy'
    WHEN 'refunds of the right amount' THEN 'refunds_amount'
    WHEN 'refunds of the ledger at Stripe' THEN 'ledger_refunds'
    WHEN 'approved refunds' THEN 'approved_refunds'
    WHEN 'open disputes and their accounts' THEN 'open_disputes'
    WHEN 'disputes and their money' THEN 'dispute_money'
    WHEN 'disputed charges and their refunds' THEN 'disputed_charges'
    WHEN 'subscriptions and their access' THEN 'subscriptions'
    WHEN 'changes of plan' THEN 'plan_changes'
    WHEN 'invoices of subscriptions' THEN 'invoices'
    WHEN 'refunds of subscriptions' THEN 'subscription_refunds'
    ELSE control END;
UPDATE reconciler.control_totals SET control = CASE check_name
    WHEN 'balance transactions' THEN 'balance_transactions'
    WHEN 'payouts' THEN 'payouts'
    WHEN 'Stripe balances' THEN 'balances'
    WHEN 'purchases at Stripe' THEN 'purchases'
    WHEN 'charges on the platform' THEN 'charges'
    WHEN 'refunds that stood' THEN 'refunds_stood'
    WHEN 'refunds whose credits were taken' THEN 'refunds_credits'
    WHEN 'refunds that the policy allows' THEN 'refunds_policy'
    WHEN 'refunds of the right amount' THEN 'refunds_amount'
    WHEN 'refunds of the ledger at Stripe' THEN 'ledger_refunds'
    WHEN 'approved refunds' THEN 'approved_refunds'
    WHEN 'open disputes and their accounts' THEN 'open_disputes'
    WHEN 'disputes and their money' THEN 'dispute_money'
    WHEN 'disputed charges and their refunds' THEN 'disputed_charges'
    WHEN 'subscriptions and their access' THEN 'subscriptions'
    WHEN 'changes of plan' THEN 'plan_changes'
    WHEN 'invoices of subscriptions' THEN 'invoices'
    WHEN 'refunds of subscriptions' THEN 'subscription_refunds'
    ELSE control END;
