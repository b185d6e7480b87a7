-- The reference implementation of the platform's tables: the one that the demo and the tests run on.
-- Operators bring their own tables, or views with these columns. Deliberately without CHECKs and most NOT NULLs:
-- the worker must survive rows that break the contract, so the reference has to be able to hold them.
CREATE SCHEMA IF NOT EXISTS platform;

CREATE TABLE platform.accounts (
    id         text PRIMARY KEY,
    email      text,
    status     text,
    created_at timestamptz
);
CREATE INDEX accounts_email ON platform.accounts (lower(email));

CREATE TABLE platform.purchases (
    id                       text PRIMARY KEY,
    account_id               text,
    kind                     text,
    credits                  bigint,
    amount_minor             bigint,
    currency                 text,
    status                   text,
    stripe_payment_intent_id text,
    stripe_charge_id         text,
    stripe_invoice_id        text,
    created_at               timestamptz,
    completed_at             timestamptz
);
CREATE INDEX purchases_completed_at ON platform.purchases (completed_at);
CREATE INDEX purchases_created_at ON platform.purchases (created_at);
CREATE INDEX purchases_account ON platform.purchases (account_id, completed_at);
CREATE INDEX purchases_charge ON platform.purchases (stripe_charge_id);
CREATE INDEX purchases_payment_intent ON platform.purchases (stripe_payment_intent_id);
CREATE INDEX purchases_invoice ON platform.purchases (stripe_invoice_id);

CREATE TABLE platform.jobs (
    id           text PRIMARY KEY,
    account_id   text,
    kind         text,
    model        text,
    status       text,
    failure_code text,
    credit_cost  bigint,
    created_at   timestamptz,
    finished_at  timestamptz
);
CREATE INDEX jobs_finished_at ON platform.jobs (finished_at);
CREATE INDEX jobs_created_at ON platform.jobs (created_at);
CREATE INDEX jobs_account ON platform.jobs (account_id, created_at);
CREATE INDEX jobs_not_succeeded ON platform.jobs (finished_at) WHERE status <> 'succeeded';

CREATE TABLE platform.credit_entries (
    id              text PRIMARY KEY,
    account_id      text,
    kind            text,
    credits         bigint,
    purchase_id     text,
    job_id          text,
    idempotency_key text UNIQUE,
    memo            text,
    created_at      timestamptz
);
CREATE INDEX credit_entries_created_at ON platform.credit_entries (created_at);
CREATE INDEX credit_entries_job ON platform.credit_entries (job_id);
CREATE INDEX credit_entries_purchase ON platform.credit_entries (purchase_id) WHERE purchase_id IS NOT NULL;
CREATE INDEX credit_entries_account ON platform.credit_entries (account_id, created_at);
-- The few entries that are no debits, apart from the many that are: of every account that moved, and of the night.
CREATE INDEX credit_entries_account_others ON platform.credit_entries (account_id) WHERE kind <> 'usage';
CREATE INDEX credit_entries_others ON platform.credit_entries (created_at) WHERE kind <> 'usage';

CREATE TABLE platform.refund_requests (
    id                  text PRIMARY KEY,
    account_id          text,
    kind                text,
    account_email       text,
    purchase_id         text,
    job_id              text,
    invoice_id          text,
    stated_date         date,
    stated_amount_minor bigint,
    stated_currency     text,
    reason              text,
    status              text,
    requested_at        timestamptz,
    decided_at          timestamptz
);
CREATE INDEX refund_requests_requested_at ON platform.refund_requests (requested_at);
CREATE INDEX refund_requests_purchase ON platform.refund_requests (purchase_id);

CREATE TABLE platform.subscriptions (
    id                     text PRIMARY KEY,
    account_id             text,
    stripe_subscription_id text,
    plan                   text,
    status                 text,
    current_period_start   timestamptz,
    current_period_end     timestamptz,
    cancel_requested_at    timestamptz,
    access_ends_at         timestamptz
);
CREATE INDEX subscriptions_stripe ON platform.subscriptions (stripe_subscription_id);
CREATE INDEX subscriptions_account ON platform.subscriptions (account_id); -- for explain of an account

CREATE TABLE platform.subscription_changes (
    id                text PRIMARY KEY,
    account_id        text,
    subscription_id   text,
    kind              text,
    from_plan         text,
    to_plan           text,
    requested_at      timestamptz,
    effective_at      timestamptz,
    stripe_invoice_id text
);
CREATE INDEX subscription_changes_effective_at ON platform.subscription_changes (effective_at);
