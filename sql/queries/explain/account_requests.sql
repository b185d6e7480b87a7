-- Refund requests of an account or from its e-mail address, newest first, with the decision and what the customer was told.
SELECT r.id, r.requested_at, coalesce(nullif(r.purchase_id, ''), nullif(r.job_id, ''), nullif(r.invoice_id, ''), '') AS about, coalesce(r.status, '') AS status,
       coalesce(d.decision, '') AS decision, d.refund_minor AS refund, coalesce(d.currency, '') AS currency, coalesce(d.clauses, '') AS clauses, d.business_date AS decided_on,
       coalesce(n.message, '') AS told, {{ refund_next }} AS next
FROM source.refund_requests r
LEFT JOIN LATERAL (SELECT d.* FROM reconciler.refund_decisions d WHERE d.request_id = r.id ORDER BY d.business_date DESC LIMIT 1) d ON true
LEFT JOIN LATERAL (SELECT n.message FROM reconciler.notifications n WHERE n.request_id = r.id ORDER BY n.business_date DESC, n.created_at DESC LIMIT 1) n ON true
WHERE r.account_id = @account_id::text OR lower(btrim(r.account_email)) = lower(btrim(@email::text)) AND btrim(@email::text) <> ''
ORDER BY r.requested_at DESC, r.id COLLATE "C"
LIMIT @most::int
