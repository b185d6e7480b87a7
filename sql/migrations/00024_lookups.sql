-- +goose Up
-- Who looks a customer up finds the decisions and messages of a request, and the subscriptions of a customer of Stripe's, without reading all of them.
CREATE INDEX refund_decisions_request ON reconciler.refund_decisions (request_id);
CREATE INDEX refund_decisions_about ON reconciler.refund_decisions (purchase_id) WHERE purchase_id <> '';
CREATE INDEX notifications_request ON reconciler.notifications (request_id);
CREATE INDEX stripe_subscriptions_customer ON reconciler.stripe_subscriptions (customer_id) WHERE customer_id <> '';
-- Who paid is kept of charges that no purchase accounts for, and forgotten once one does.
CREATE INDEX stripe_charges_payers ON reconciler.stripe_charges (id) WHERE email <> '' OR metadata <> '{}';
