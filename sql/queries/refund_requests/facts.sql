-- Requests that were undecided at the night's opening or arrived in it, each with what the decision follows from.
WITH request AS MATERIALIZED (
    SELECT r.*, coalesce(r.status = 'pending' OR r.decided_at >= @as_of::timestamptz, false) AS is_pending
    FROM {{ valid_requests }} r
    WHERE r.requested_at < @as_of::timestamptz
      AND (r.requested_at >= @begin::timestamptz OR r.status = 'pending' OR r.decided_at >= @begin::timestamptz)
      AND NOT EXISTS (SELECT FROM reconciler.refund_decisions d
                      WHERE d.request_id = r.id AND d.decision IN ('approve', 'deny') AND d.business_date <= @date::date)
), match AS MATERIALIZED (
    SELECT m.request_id, min(m.hits) AS hits, min(m.purchase_id) AS purchase_id
    FROM reconciler.request_matches m
    WHERE m.business_date = @date::date AND m.job = @job::text
    GROUP BY 1
), lot_use AS MATERIALIZED {{ lot_use }}
SELECT r.id AS request_id, r.kind,
       (SELECT min(d.business_date) FROM reconciler.refund_decisions d
        WHERE d.request_id = r.id AND d.decision IN ('approve', 'deny') AND d.business_date > @date::date) AS decided_by_night, CASE WHEN r.is_pending THEN 'pending' ELSE r.status END AS status, r.requested_at,
       coalesce(nullif(r.account_id, ''), p.account_id, j.account_id, by_email.account_id, '') AS account_id,
       r.account_email <> '' AS states_email, coalesce(r.purchase_id, '') <> '' AS states_purchase, coalesce(r.invoice_id, '') <> '' AS states_invoice,
       coalesce(r.job_id, '') <> '' AS states_job, r.stated_date IS NOT NULL AS states_date, r.stated_amount_minor IS NOT NULL AS states_amount,
       coalesce(r.stated_currency, '') <> '' AS states_currency,
       coalesce(m.hits, 0) AS purchase_matches,
       coalesce(p.id, '') AS purchase_id, coalesce(p.kind, '') AS purchase_kind,
       CASE WHEN p.status = 'completed' AND p.completed_at >= @as_of::timestamptz THEN 'pending' ELSE coalesce(p.status, '') END AS purchase_status,
       coalesce(p.amount_minor, 0) AS amount_minor, coalesce(p.currency, '') AS currency,
       CASE WHEN p.status = 'completed' AND p.completed_at < @as_of::timestamptz THEN p.completed_at END AS completed_at,
       coalesce(p.credits, 0) AS credits, coalesce(least(coalesce(u.used_closing, 0), p.credits), 0)::bigint AS used_credits,
       coalesce(c.disputed_at < @as_of::timestamptz, false) AS disputed,
       coalesce(u.refunded_closing < 0, false) OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @as_of::timestamptz, false) AS refunded,
       coalesce(c.charge_id, '') AS charge_id, c.charge_amount_minor, c.settled_amount_minor, c.fee_minor,
       coalesce(nullif(r.account_id, '') <> p.account_id
                OR coalesce(r.account_id, '') = '' AND lower(btrim(r.account_email)) IS DISTINCT FROM lower(btrim(pa.email)), false) AS other_account,
       coalesce(j.id, '') AS job_id, CASE WHEN j.finished_at >= @as_of::timestamptz THEN 'running' ELSE coalesce(j.status, '') END AS job_status,
       coalesce(j.failure_code, '') AS failure_code,
       CASE WHEN j.finished_at < @as_of::timestamptz THEN j.finished_at END AS job_finished_at,
       least(coalesce(je.debited, 0), 9223372036854775807)::bigint AS job_debited, least(coalesce(je.credited, 0), 9223372036854775807)::bigint AS job_credited,
       coalesce(nullif(r.account_id, '') <> j.account_id
                OR coalesce(r.account_id, '') = '' AND lower(btrim(r.account_email)) IS DISTINCT FROM lower(btrim(ja.email)), false) AS other_account_job
FROM request r
LEFT JOIN match m ON m.request_id = r.id
LEFT JOIN {{ valid_purchases }} p ON m.hits = 1 AND p.id = m.purchase_id
LEFT JOIN source.accounts pa ON pa.id = p.account_id
LEFT JOIN lot_use u ON u.lot_kind = 'purchase' AND u.account_id = p.account_id AND u.lot_id = p.id
LEFT JOIN {{ purchase_charges }} c ON c.purchase_id = p.id AND c.account_id = p.account_id
LEFT JOIN {{ valid_jobs }} j ON r.kind = 'failed_job' AND j.id = r.job_id AND j.created_at < @as_of::timestamptz
LEFT JOIN source.accounts ja ON ja.id = j.account_id
LEFT JOIN LATERAL (SELECT -sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment')) AS debited, sum(e.credits) FILTER (WHERE e.kind = 'credit_back') AS credited
                   FROM {{ entries }} e
                   WHERE e.account_id = j.account_id AND e.job_id = j.id AND e.effective_at < @as_of::timestamptz) je ON true
LEFT JOIN LATERAL (SELECT min(a.id) AS account_id FROM source.accounts a
                   WHERE lower(btrim(a.email)) = lower(btrim(r.account_email)) HAVING count(*) = 1) by_email ON true
WHERE r.id COLLATE "C" > @after::text
ORDER BY r.id COLLATE "C"
LIMIT @limit::int
