-- An account's purchases, newest first, each with its refund window as the newest night saw it.
SELECT p.id, coalesce(p.kind, '') AS kind, coalesce(p.status, '') AS status, p.completed_at, coalesce(p.credits, 0) AS credits,
       p.amount_minor AS amount, coalesce(p.currency, '') AS currency,
       coalesce(w.state, '') AS state, w.expires_at, w.used_credits, w.refundable_minor AS refundable
FROM source.purchases p
LEFT JOIN LATERAL (SELECT w.* FROM reconciler.refund_windows w WHERE w.account_id = p.account_id AND w.purchase_id = p.id ORDER BY w.business_date DESC LIMIT 1) w ON true
WHERE p.account_id = @account_id::text
ORDER BY p.created_at DESC, p.id COLLATE "C"
LIMIT @most::int
