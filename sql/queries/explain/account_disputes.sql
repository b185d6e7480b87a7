-- Disputes of an account as the newest night saw them.
SELECT DISTINCT ON (c.opened_at, c.dispute_id) c.dispute_id AS id, c.charge_id, c.purchase_id, c.phase, c.status, c.reason, c.opened_at,
    c.evidence_due_by, c.amount_minor AS amount, c.currency
FROM reconciler.dispute_cases c
WHERE c.account_id = @account_id::text
ORDER BY c.opened_at DESC, c.dispute_id, c.business_date DESC
LIMIT @most::int
