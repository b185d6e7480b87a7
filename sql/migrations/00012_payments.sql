-- +goose Up
-- What a payment cost and brought is the sum over all balance transactions of its charge. Existing databases learn what they lack
-- by the sync's reading the last 30 days again, once.

-- Fees that are neither Stripe's own (stripe_fee) nor tax, by type: {"application_fee": 100}. They are no transaction fees.
ALTER TABLE reconciler.stripe_balance_transactions ADD COLUMN other_fees jsonb;
COMMENT ON COLUMN reconciler.stripe_balance_transactions.other_fees IS 'Parts of fee_minor of other types than stripe_fee and tax, by type; null: none.';

-- The types among them that a policy version withholds all the same.
ALTER TABLE reconciler.policy_versions ADD COLUMN other_fees_withheld text[] NOT NULL DEFAULT '{}';

ALTER TABLE reconciler.stripe_invoices
    ADD COLUMN from_balance_minor bigint  NOT NULL DEFAULT 0, -- taken from the customer's balance; below 0: a debt collected
    ADD COLUMN paid_out_of_band   boolean NOT NULL DEFAULT false; -- somebody noted that it was paid elsewhere

-- What each capture took, in the charge's currency, of charges that were captured in part or several times. A charge without rows was
-- captured at once: whole, or, before Stripe's API version 2025-03-31, whole with a reversal of what was not taken.
CREATE TABLE reconciler.stripe_captures (
    charge_id              text        NOT NULL,
    balance_transaction_id text        NOT NULL,
    captured_at            timestamptz NOT NULL,
    amount_minor           bigint      NOT NULL,
    PRIMARY KEY (charge_id, balance_transaction_id)
);

CREATE INDEX stripe_charges_in_part ON reconciler.stripe_charges (id) WHERE captured_minor > 0 AND captured_minor <> amount_minor;
-- Authorisations of which more may be captured.
CREATE INDEX stripe_charges_uncaptured ON reconciler.stripe_charges (created_at) WHERE status = 'succeeded' AND NOT captured;
-- Refunds that name a payment intent only.
CREATE INDEX stripe_refunds_without_charge ON reconciler.stripe_refunds (payment_intent_id) WHERE charge_id = '';

UPDATE reconciler.stripe_watermarks SET synced_through = synced_through - interval '30 days' WHERE stream <> 'all';
