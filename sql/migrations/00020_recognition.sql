-- +goose Up
-- What an invoice's lines say of tax. Invoices that were read before are read again, a year of them: their lines may still be earned from.
ALTER TABLE reconciler.stripe_invoices ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN reconciler.stripe_invoices.tax_minor IS 'All tax that the invoice names, inclusive and exclusive; with the sign of its total.';
ALTER TABLE reconciler.stripe_invoice_lines
    ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0, -- all tax of the line
    ADD COLUMN inclusive_tax_minor bigint NOT NULL DEFAULT 0; -- the part of it that amount_minor has in it
CREATE INDEX stripe_invoices_taxed ON reconciler.stripe_invoices (id) WHERE tax_minor <> 0;
UPDATE reconciler.stripe_watermarks SET synced_through = synced_through - interval '366 days' WHERE stream = 'invoices';

-- Of amount_minor, what was known to be tax when the purchase was booked: it is owed to the tax office, and no part of a lot's value.
ALTER TABLE reconciler.booked_purchases ADD COLUMN tax_minor bigint NOT NULL DEFAULT 0;
CREATE INDEX booked_purchases_subscriptions ON reconciler.booked_purchases (booked_at) WHERE kind = 'subscription' AND credits = 0;

-- Where the money of each subscription charge without credits is at the end of a night, since the journal began: a row a night for as long as it
-- is earned, and for nights in which something happens to it later. Also of invoices that no purchase names and that moved a customer's
-- balance. opened + settled = deferred + tax + earned + given_back; reconcile.Recognition is the home of the rule.
CREATE TABLE reconciler.subscription_positions (
    account_id       text    NOT NULL, -- '' where an invoice's customer is not known
    business_date    date    NOT NULL,
    subject_id       text    NOT NULL, -- the purchase, or else the invoice
    invoice_id       text    NOT NULL, -- whose lines say what days were paid for; '' while none is known
    currency         text    NOT NULL,
    opened_minor     numeric NOT NULL, -- deferred as the journal began
    settled_minor    numeric NOT NULL, -- charged since, tax included; of an invoice: taken from the customer's balance, below 0 left in it
    deferred_minor   numeric NOT NULL,
    tax_minor        numeric NOT NULL, -- owed to the tax office
    earned_minor     numeric NOT NULL,
    given_back_minor numeric NOT NULL,
    is_purchase      boolean NOT NULL,
    is_done          boolean NOT NULL, -- all its days are over, or all was given back
    PRIMARY KEY (account_id, business_date, subject_id),
    CHECK (opened_minor + settled_minor = deferred_minor + tax_minor + earned_minor + given_back_minor)
);
CREATE INDEX subscription_positions_night ON reconciler.subscription_positions (business_date);
CREATE INDEX subscription_positions_subject ON reconciler.subscription_positions (subject_id, business_date);
