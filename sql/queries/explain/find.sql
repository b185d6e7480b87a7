-- What an id means, and what belongs to its story, in either direction: purchase, charges, refunds, disputes, balance transactions, payout,
-- invoices, subscription, requests, job, refund plan. Each link is a lookup of its own: an OR between two would read the whole relation.
-- type: what it is an id of, where that is known; a platform that counts its rows has a purchase and a job of the same id.
WITH named AS (
    SELECT @id::text AS id, '' AS type
    UNION SELECT b.subject_id, b.subject_type FROM reconciler.breaks b WHERE b.break_id = @id::text
), subscription AS (
    SELECT s.id, s.stripe_subscription_id FROM source.subscriptions s WHERE s.id IN (SELECT id FROM named WHERE type IN ('', 'subscription'))
    UNION SELECT s.id, s.stripe_subscription_id FROM source.subscriptions s WHERE s.stripe_subscription_id IN (SELECT id FROM named)
    UNION SELECT s.id, s.stripe_subscription_id FROM source.subscription_changes c JOIN source.subscriptions s ON s.id = c.subscription_id
          WHERE c.id IN (SELECT id FROM named WHERE type IN ('', 'subscription_change'))
    UNION SELECT '', s.id FROM reconciler.stripe_subscriptions s WHERE s.id IN (SELECT id FROM named)
), invoice AS (
    SELECT i.id FROM reconciler.stripe_invoices i WHERE i.id IN (SELECT id FROM named)
    UNION SELECT i.id FROM reconciler.stripe_invoices i WHERE i.subscription_id IN (SELECT stripe_subscription_id FROM subscription) AND i.subscription_id <> ''
), start AS (
    SELECT id, type FROM named
    UNION SELECT t.source_id, '' FROM reconciler.stripe_balance_transactions t WHERE t.id IN (SELECT id FROM named) AND t.source_id <> ''
), request AS (
    SELECT r.id, r.purchase_id, r.job_id FROM source.refund_requests r WHERE r.id IN (SELECT id FROM start WHERE type IN ('', 'refund_request'))
    UNION SELECT r.id, r.purchase_id, r.job_id FROM source.refund_requests r
          JOIN reconciler.refund_intents i ON i.request_id = r.id WHERE i.intent_id IN (SELECT id FROM start)
), charge AS (
    SELECT c.id FROM reconciler.stripe_charges c WHERE c.id IN (SELECT id FROM start)
    UNION SELECT r.charge_id FROM reconciler.stripe_refunds r WHERE r.id IN (SELECT id FROM start)
    UNION SELECT d.charge_id FROM reconciler.stripe_disputes d WHERE d.id IN (SELECT id FROM start)
    UNION SELECT c.id FROM reconciler.stripe_charges c WHERE c.payment_intent_id IN (SELECT id FROM start) AND c.payment_intent_id <> ''
    UNION SELECT c.id FROM reconciler.stripe_charges c WHERE c.invoice_id IN (SELECT id FROM invoice) AND c.invoice_id <> ''
), purchase AS (
    SELECT p.id FROM source.purchases p WHERE p.id IN (SELECT id FROM start WHERE type IN ('', 'purchase'))
    UNION SELECT p.id FROM source.purchases p WHERE p.stripe_payment_intent_id IN (SELECT id FROM start)
    UNION SELECT p.id FROM source.purchases p WHERE p.stripe_invoice_id IN (SELECT id FROM start)
    UNION SELECT p.id FROM source.purchases p WHERE p.stripe_invoice_id IN (SELECT id FROM invoice)
    UNION SELECT r.purchase_id FROM request r WHERE r.purchase_id <> ''
    UNION SELECT d.purchase_id FROM reconciler.refund_decisions d JOIN request r ON r.id = d.request_id WHERE d.purchase_id <> ''
    UNION SELECT e.purchase_id FROM source.credit_entries e WHERE e.id IN (SELECT id FROM start WHERE type IN ('', 'credit_entry')) AND e.purchase_id <> ''
    UNION SELECT p.id FROM source.purchases p WHERE p.stripe_charge_id IN (SELECT id FROM charge)
    UNION SELECT p.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.payment_intent_id = p.stripe_payment_intent_id
          WHERE c.id IN (SELECT id FROM charge) AND c.payment_intent_id <> ''
    UNION SELECT p.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.invoice_id = p.stripe_invoice_id
          WHERE c.id IN (SELECT id FROM charge) AND c.invoice_id <> ''
    UNION SELECT c.metadata_purchase_id FROM reconciler.stripe_charges c WHERE c.id IN (SELECT id FROM charge) AND c.metadata_purchase_id <> ''
), job AS (
    SELECT j.id FROM source.jobs j WHERE j.id IN (SELECT id FROM start WHERE type IN ('', 'job'))
    UNION SELECT r.job_id FROM request r WHERE r.job_id <> ''
    UNION SELECT e.job_id FROM source.credit_entries e WHERE e.id IN (SELECT id FROM start WHERE type IN ('', 'credit_entry')) AND e.job_id <> ''
    UNION SELECT e.job_id FROM source.credit_entries e WHERE e.job_id IN (SELECT id FROM start WHERE type IN ('', 'job'))
)
SELECT 'purchase' AS kind, id FROM purchase
UNION SELECT 'invoice', id FROM invoice
UNION SELECT 'invoice', p.stripe_invoice_id FROM source.purchases p WHERE p.id IN (SELECT id FROM purchase) AND p.stripe_invoice_id <> ''
UNION SELECT 'subscription', coalesce(nullif(id, ''), stripe_subscription_id) FROM subscription
UNION SELECT 'payout', p.id FROM reconciler.stripe_payouts p WHERE p.id IN (SELECT id FROM start)
UNION SELECT 'transaction', t.id FROM reconciler.stripe_balance_transactions t WHERE t.id IN (SELECT id FROM named)
UNION SELECT 'intent', i.id FROM reconciler.stripe_payment_intents i WHERE i.id IN (SELECT id FROM start)
UNION SELECT 'job', id FROM job
UNION SELECT 'request', id FROM request
UNION SELECT 'request', r.id FROM source.refund_requests r WHERE r.purchase_id IN (SELECT id FROM purchase)
UNION SELECT 'request', d.request_id FROM reconciler.refund_decisions d WHERE d.purchase_id IN (SELECT id FROM purchase) AND d.purchase_id <> ''
UNION SELECT 'entry', e.id FROM source.credit_entries e
      WHERE e.id IN (SELECT id FROM start WHERE type IN ('', 'credit_entry') UNION SELECT substr(id, 7) FROM start WHERE id LIKE 'entry:%') AND coalesce(e.job_id, '') = '' AND coalesce(e.purchase_id, '') = ''
UNION SELECT 'subject', 'entry:' || e.id FROM source.credit_entries e WHERE e.id = @id::text AND coalesce(e.job_id, '') = '' AND coalesce(e.purchase_id, '') = ''
UNION SELECT 'plan', p.plan_id FROM reconciler.refund_plans p WHERE p.plan_id = @id::text
UNION SELECT 'charge', id FROM charge
UNION SELECT 'charge', p.stripe_charge_id FROM source.purchases p WHERE p.id IN (SELECT id FROM purchase) AND p.stripe_charge_id <> ''
UNION SELECT 'charge', c.id FROM reconciler.stripe_charges c WHERE c.metadata_purchase_id IN (SELECT id FROM purchase) AND c.metadata_purchase_id <> ''
UNION SELECT 'charge', c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.payment_intent_id = p.stripe_payment_intent_id
      WHERE p.id IN (SELECT id FROM purchase) AND c.payment_intent_id <> ''
UNION SELECT 'charge', c.id FROM source.purchases p JOIN reconciler.stripe_charges c ON c.invoice_id = p.stripe_invoice_id
      WHERE p.id IN (SELECT id FROM purchase) AND c.invoice_id <> ''
UNION SELECT 'subject ' || b.subject_type, b.subject_id FROM reconciler.breaks b WHERE b.break_id = @id::text
UNION SELECT 'subject', b.subject_id FROM reconciler.breaks b WHERE b.subject_id = @id::text
ORDER BY 1, 2
