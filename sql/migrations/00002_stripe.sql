-- +goose Up
-- What the worker knows of Stripe. The tables are keyed by Stripe's own ids, which are unique over all accounts; under Citus they are
-- reference tables, replicated to every node, so that the platform's rows join them wherever these live.
-- Amounts are minor units as Stripe sends them; an exchange ratio is never stored, since two amounts say it exactly. Enumerations are
-- kept as they came: a value that this version doesn't know must be seen, not lost. No e-mail address, name or card gets in here.

-- The one Stripe account, in one mode, that this database's books are about. A key of another is refused.
CREATE TABLE reconciler.stripe_accounts (
    stripe_account text        NOT NULL,
    livemode       boolean     NOT NULL,
    first_used_at  timestamptz NOT NULL,
    PRIMARY KEY (stripe_account, livemode)
);

-- Everything of the stream created before synced_through has been read and committed.
CREATE TABLE reconciler.stripe_watermarks (
    stripe_account text        NOT NULL,
    livemode       boolean     NOT NULL,
    stream         text        NOT NULL,
    synced_through timestamptz NOT NULL,
    PRIMARY KEY (stripe_account, livemode, stream)
);

-- Whether Stripe was looked at for a night. Only 'complete' lets anything about Stripe be called clean.
CREATE TABLE reconciler.stripe_syncs (
    business_date    date        NOT NULL PRIMARY KEY,
    as_of            timestamptz NOT NULL,
    status           text        NOT NULL CHECK (status IN ('complete', 'failed', 'no_key')),
    complete_through timestamptz,
    stripe_account   text        NOT NULL DEFAULT '',
    livemode         boolean     NOT NULL DEFAULT false,
    problem          text        NOT NULL DEFAULT '',
    CHECK (status <> 'complete' OR complete_through >= as_of)
);
CREATE INDEX stripe_syncs_as_of ON reconciler.stripe_syncs (as_of);

CREATE TABLE reconciler.stripe_balance_transactions (
    id                 text        NOT NULL PRIMARY KEY,
    type               text        NOT NULL,
    reporting_category text        NOT NULL,
    amount_minor       bigint      NOT NULL,
    fee_minor          bigint      NOT NULL,
    fee_tax_minor      bigint      NOT NULL, -- the part of fee_minor that is tax
    net_minor          bigint      NOT NULL,
    currency           text        NOT NULL,
    status             text        NOT NULL,
    source_id          text        NOT NULL,
    payout_id          text        NOT NULL DEFAULT '', -- the automatic payout that paid it out, once Stripe has said
    created_at         timestamptz NOT NULL,
    available_on       timestamptz NOT NULL,
    seen_at            timestamptz NOT NULL
);
CREATE INDEX stripe_balance_transactions_created ON reconciler.stripe_balance_transactions (created_at)
    INCLUDE (currency, reporting_category, amount_minor, fee_minor, net_minor, available_on);
CREATE INDEX stripe_balance_transactions_source ON reconciler.stripe_balance_transactions (source_id) WHERE source_id <> '';
CREATE INDEX stripe_balance_transactions_payout ON reconciler.stripe_balance_transactions (payout_id) WHERE payout_id <> '';
CREATE INDEX stripe_balance_transactions_pending ON reconciler.stripe_balance_transactions (created_at) WHERE status <> 'available';

CREATE TABLE reconciler.stripe_charges (
    id                             text        NOT NULL PRIMARY KEY,
    payment_intent_id              text        NOT NULL,
    invoice_id                     text        NOT NULL,
    customer_id                    text        NOT NULL,
    metadata_purchase_id           text        NOT NULL,
    method                         text        NOT NULL,
    amount_minor                   bigint      NOT NULL,
    captured_minor                 bigint      NOT NULL,
    currency                       text        NOT NULL,
    status                         text        NOT NULL,
    captured                       boolean     NOT NULL,
    failure_code                   text        NOT NULL,
    balance_transaction_id         text        NOT NULL, -- '' until Stripe has posted it
    failure_balance_transaction_id text        NOT NULL,
    created_at                     timestamptz NOT NULL,
    seen_at                        timestamptz NOT NULL
);
CREATE INDEX stripe_charges_created ON reconciler.stripe_charges (created_at);
CREATE INDEX stripe_charges_payment_intent ON reconciler.stripe_charges (payment_intent_id) WHERE payment_intent_id <> '';
CREATE INDEX stripe_charges_invoice ON reconciler.stripe_charges (invoice_id) WHERE invoice_id <> '';
CREATE INDEX stripe_charges_purchase ON reconciler.stripe_charges (metadata_purchase_id) WHERE metadata_purchase_id <> '';
CREATE INDEX stripe_charges_unsettled ON reconciler.stripe_charges (created_at)
    WHERE status = 'pending' OR (status = 'succeeded' AND balance_transaction_id = '');

CREATE TABLE reconciler.stripe_refunds (
    id                             text        NOT NULL PRIMARY KEY,
    charge_id                      text        NOT NULL,
    payment_intent_id              text        NOT NULL,
    amount_minor                   bigint      NOT NULL,
    currency                       text        NOT NULL,
    status                         text        NOT NULL,
    reason                         text        NOT NULL,
    failure_reason                 text        NOT NULL,
    balance_transaction_id         text        NOT NULL,
    failure_balance_transaction_id text        NOT NULL,
    created_at                     timestamptz NOT NULL,
    seen_at                        timestamptz NOT NULL
);
CREATE INDEX stripe_refunds_created ON reconciler.stripe_refunds (created_at);
CREATE INDEX stripe_refunds_charge ON reconciler.stripe_refunds (charge_id);
CREATE INDEX stripe_refunds_unsettled ON reconciler.stripe_refunds (created_at) WHERE status NOT IN ('failed', 'canceled');

CREATE TABLE reconciler.stripe_disputes (
    id                text        NOT NULL PRIMARY KEY,
    charge_id         text        NOT NULL,
    payment_intent_id text        NOT NULL,
    amount_minor      bigint      NOT NULL,
    currency          text        NOT NULL,
    status            text        NOT NULL,
    reason            text        NOT NULL,
    evidence_due_by   timestamptz,
    created_at        timestamptz NOT NULL,
    seen_at           timestamptz NOT NULL
);
CREATE INDEX stripe_disputes_created ON reconciler.stripe_disputes (created_at);
CREATE INDEX stripe_disputes_charge ON reconciler.stripe_disputes (charge_id);
CREATE INDEX stripe_disputes_open ON reconciler.stripe_disputes (created_at) WHERE status NOT IN ('won', 'lost', 'warning_closed');

CREATE TABLE reconciler.stripe_payouts (
    id                             text        NOT NULL PRIMARY KEY,
    amount_minor                   bigint      NOT NULL,
    currency                       text        NOT NULL,
    status                         text        NOT NULL,
    automatic                      boolean     NOT NULL,
    method                         text        NOT NULL,
    type                           text        NOT NULL,
    reconciliation_status          text        NOT NULL,
    balance_transaction_id         text        NOT NULL,
    failure_balance_transaction_id text        NOT NULL,
    failure_code                   text        NOT NULL,
    original_payout_id             text        NOT NULL,
    reversed_by_id                 text        NOT NULL,
    arrival_at                     timestamptz NOT NULL,
    created_at                     timestamptz NOT NULL,
    seen_at                        timestamptz NOT NULL,
    broken_down                    boolean     NOT NULL DEFAULT false -- all its balance transactions have been read
);
CREATE INDEX stripe_payouts_created ON reconciler.stripe_payouts (created_at);
CREATE INDEX stripe_payouts_unsettled ON reconciler.stripe_payouts (created_at)
    WHERE status NOT IN ('paid', 'failed', 'canceled') OR (automatic AND NOT broken_down);

CREATE TABLE reconciler.stripe_invoices (
    id                text        NOT NULL PRIMARY KEY,
    subscription_id   text        NOT NULL,
    customer_id       text        NOT NULL,
    charge_id         text        NOT NULL,
    payment_intent_id text        NOT NULL,
    billing_reason    text        NOT NULL,
    status            text        NOT NULL,
    currency          text        NOT NULL,
    total_minor       bigint      NOT NULL,
    due_minor         bigint      NOT NULL,
    paid_minor        bigint      NOT NULL,
    period_start      timestamptz,
    period_end        timestamptz,
    created_at        timestamptz NOT NULL,
    finalized_at      timestamptz,
    paid_at           timestamptz,
    voided_at         timestamptz,
    seen_at           timestamptz NOT NULL
);
CREATE INDEX stripe_invoices_created ON reconciler.stripe_invoices (created_at);
CREATE INDEX stripe_invoices_subscription ON reconciler.stripe_invoices (subscription_id) WHERE subscription_id <> '';
CREATE INDEX stripe_invoices_open ON reconciler.stripe_invoices (created_at) WHERE status NOT IN ('paid', 'void');

CREATE TABLE reconciler.stripe_invoice_lines (
    invoice_id      text        NOT NULL,
    id              text        NOT NULL,
    type            text        NOT NULL,
    amount_minor    bigint      NOT NULL,
    currency        text        NOT NULL,
    proration       boolean     NOT NULL,
    subscription_id text        NOT NULL,
    period_start    timestamptz,
    period_end      timestamptz,
    PRIMARY KEY (invoice_id, id)
);

CREATE TABLE reconciler.stripe_subscriptions (
    id                   text        NOT NULL PRIMARY KEY,
    customer_id          text        NOT NULL,
    status               text        NOT NULL,
    latest_invoice_id    text        NOT NULL,
    cancel_at_period_end boolean     NOT NULL,
    current_period_start timestamptz,
    current_period_end   timestamptz,
    cancel_at            timestamptz,
    canceled_at          timestamptz,
    ended_at             timestamptz,
    created_at           timestamptz NOT NULL,
    seen_at              timestamptz NOT NULL
);
CREATE INDEX stripe_subscriptions_created ON reconciler.stripe_subscriptions (created_at);
CREATE INDEX stripe_subscriptions_running ON reconciler.stripe_subscriptions (created_at) WHERE status NOT IN ('canceled', 'incomplete_expired');

-- Only those that a purchase names and that no charge was found for.
CREATE TABLE reconciler.stripe_payment_intents (
    id                   text        NOT NULL PRIMARY KEY,
    amount_minor         bigint      NOT NULL,
    received_minor       bigint      NOT NULL,
    currency             text        NOT NULL,
    status               text        NOT NULL,
    latest_charge_id     text        NOT NULL,
    invoice_id           text        NOT NULL,
    metadata_purchase_id text        NOT NULL,
    canceled_at          timestamptz,
    created_at           timestamptz NOT NULL,
    seen_at              timestamptz NOT NULL
);

-- Append-only: since when an object was in which state, so that a night can be read as of its end later on. Where Stripe doesn't say
-- when a state changed, effective_at is the last time that it was seen otherwise: the night that first saw the change has it, and
-- nights before that never do.
CREATE TABLE reconciler.stripe_states (
    object_id    text        NOT NULL,
    effective_at timestamptz NOT NULL,
    status       text        NOT NULL,
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (object_id, effective_at, status)
);
COMMENT ON TABLE reconciler.stripe_states IS 'Append-only: since when an object was in which state.';
CREATE INDEX stripe_states_effective ON reconciler.stripe_states (effective_at);
CREATE INDEX stripe_states_seen ON reconciler.stripe_states (seen_at);

-- Stripe's Balance object as it was read; the balance transactions were complete at that instant.
CREATE TABLE reconciler.stripe_balances (
    taken_at        timestamptz NOT NULL,
    currency        text        NOT NULL,
    available_minor bigint      NOT NULL,
    pending_minor   bigint      NOT NULL,
    PRIMARY KEY (taken_at, currency)
);

-- The results of a night. --------------------------------------------------------------------------------------------------------

-- What every checked object came to, while the job runs; afterwards only what is not matched stays. Counts and findings both come
-- from here. Unlogged, as a crash repeats the job.
CREATE UNLOGGED TABLE reconciler.stripe_checks (
    account_id    text    NOT NULL DEFAULT '',
    business_date date    NOT NULL,
    job           text    NOT NULL,
    check_name    text    NOT NULL,
    subject_id    text    NOT NULL,
    outcome       text    NOT NULL CHECK (outcome IN ('matched', 'awaiting', 'break')),
    kind          text    NOT NULL DEFAULT '',
    field         text    NOT NULL DEFAULT '',
    ours          text    NOT NULL DEFAULT '',
    theirs        text    NOT NULL DEFAULT '',
    variance      numeric NOT NULL DEFAULT 0,
    unit          text    NOT NULL DEFAULT '',
    detail        text    NOT NULL DEFAULT '',
    amount_minor  numeric NOT NULL DEFAULT 0, -- what the control totals in money count the object with
    currency      text    NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, business_date, job, check_name, subject_id),
    CHECK ((outcome = 'break') = (kind <> ''))
);
CREATE INDEX stripe_checks_night ON reconciler.stripe_checks (business_date, job);

-- Balance transactions of the night, grouped as Stripe's own balance summary groups them.
CREATE TABLE reconciler.stripe_activity (
    business_date      date    NOT NULL,
    reporting_category text    NOT NULL,
    currency           text    NOT NULL,
    count              bigint  NOT NULL,
    gross              numeric NOT NULL,
    fee                numeric NOT NULL,
    net                numeric NOT NULL,
    PRIMARY KEY (business_date, reporting_category, currency)
);

-- opening + activity + payouts = closing, per currency, and what Stripe's Balance object says of it.
CREATE TABLE reconciler.stripe_cash (
    business_date          date        NOT NULL,
    currency               text        NOT NULL,
    opening_minor          numeric     NOT NULL,
    activity_minor         numeric     NOT NULL,
    payouts_minor          numeric     NOT NULL,
    closing_minor          numeric     NOT NULL GENERATED ALWAYS AS (opening_minor + activity_minor + payouts_minor) STORED,
    available_minor        numeric     NOT NULL, -- of the closing
    pending_minor          numeric     NOT NULL,
    balance_at             timestamptz,          -- null: no Balance object that belongs to this night
    after_minor            numeric     NOT NULL DEFAULT 0, -- activity between as-of and balance_at
    stripe_available_minor numeric,
    stripe_pending_minor   numeric,
    residual_minor         numeric,              -- closing + after - Stripe's balance
    PRIMARY KEY (business_date, currency),
    CHECK (closing_minor = available_minor + pending_minor)
);

CREATE TABLE reconciler.payout_tie_outs (
    business_date  date        NOT NULL,
    payout_id      text        NOT NULL,
    currency       text        NOT NULL,
    status         text        NOT NULL,
    automatic      boolean     NOT NULL,
    method         text        NOT NULL,
    type           text        NOT NULL,
    created_at     timestamptz NOT NULL,
    arrival_date   date        NOT NULL,
    amount_minor   bigint      NOT NULL,
    transactions   bigint      NOT NULL,
    gross_minor    numeric     NOT NULL,
    fee_minor      numeric     NOT NULL,
    net_minor      numeric     NOT NULL,
    returned_minor numeric     NOT NULL, -- what a failed or canceled payout brought back
    residual_minor numeric     NOT NULL, -- amount - net of its transactions - returned
    tie_out        text        NOT NULL CHECK (tie_out IN ('tied', 'awaiting', 'not_itemised', 'returned', 'residual')),
    PRIMARY KEY (business_date, payout_id)
);

CREATE TABLE reconciler.dispute_cases (
    account_id          text        NOT NULL DEFAULT '',
    business_date       date        NOT NULL,
    dispute_id          text        NOT NULL,
    charge_id           text        NOT NULL,
    purchase_id         text        NOT NULL DEFAULT '',
    account_status      text        NOT NULL DEFAULT '',
    phase               text        NOT NULL, -- inquiry, chargeback, won, lost, closed; or Stripe's own word for a status unknown here
    status              text        NOT NULL,
    reason              text        NOT NULL,
    opened_at           timestamptz NOT NULL,
    evidence_due_by     timestamptz,
    amount_minor        bigint      NOT NULL,
    currency            text        NOT NULL,
    withdrawn_minor     numeric     NOT NULL, -- settlement currency, from here on
    returned_minor      numeric     NOT NULL,
    fees_minor          numeric     NOT NULL,
    settlement_currency text        NOT NULL DEFAULT '',
    refunded_minor      numeric     NOT NULL, -- of the charge, in its currency
    clawback_minor      numeric     NOT NULL, -- what has left the charge through refunds and disputes together, in its currency
    reinstatement_minor numeric     NOT NULL, -- what reinstating the account may cost: outstanding + fees, settlement currency
    review_suspension   boolean     NOT NULL,
    tie_out             text        NOT NULL,
    PRIMARY KEY (account_id, business_date, dispute_id)
);

CREATE TABLE reconciler.subscription_checks (
    account_id             text        NOT NULL DEFAULT '',
    business_date          date        NOT NULL,
    subscription_id        text        NOT NULL,
    stripe_subscription_id text        NOT NULL,
    plan                   text        NOT NULL,
    status                 text        NOT NULL,
    stripe_status          text        NOT NULL,
    current_period_start   timestamptz,
    current_period_end     timestamptz,
    paid_through           timestamptz,
    access_ends_at         timestamptz,
    invoices               bigint      NOT NULL, -- of the night
    invoiced_minor         numeric     NOT NULL,
    paid_minor             numeric     NOT NULL,
    prorated_minor         numeric     NOT NULL,
    refunded_minor         numeric     NOT NULL,
    currency               text        NOT NULL,
    changes                bigint      NOT NULL,
    tie_out                text        NOT NULL, -- tied, awaiting, or the kinds of its breaks
    PRIMARY KEY (account_id, business_date, subscription_id)
);
