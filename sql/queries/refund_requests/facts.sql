-- Requests that were undecided when the night began, or arrived in it, each with what the decision follows from.
WITH request AS MATERIALIZED (
    SELECT r.*, coalesce(r.status = 'pending' OR r.decided_at >= @as_of::timestamptz, false) AS is_pending
    FROM {{ valid_requests }} r
    WHERE r.requested_at < @as_of::timestamptz
      AND (r.requested_at >= @begin::timestamptz OR r.status = 'pending' OR r.decided_at >= @begin::timestamptz)
      AND NOT EXISTS (SELECT FROM reconciler.refund_decisions d
                      WHERE d.request_id = r.id AND d.decision IN ('approve', 'deny') AND d.business_date <= @date::date)
      AND r.id COLLATE "C" > @after::text
    ORDER BY r.id COLLATE "C"
    LIMIT @limit::int
), match AS MATERIALIZED (
    SELECT m.request_id, min(m.hits) AS hits, min(m.purchase_id) AS purchase_id
    FROM reconciler.request_matches m
    WHERE m.business_date = @date::date
    GROUP BY 1
), same_email AS MATERIALIZED (
    SELECT r.id AS request_id, a.id AS account_id
    FROM request r
    JOIN source.accounts a ON lower(btrim(a.email)) = lower(btrim(r.account_email))
    WHERE btrim(r.account_email) <> ''
), by_email AS MATERIALIZED (
    SELECT r.id AS request_id, count(*) AS accounts, min(s.account_id) AS account_id, bool_or(s.account_id = r.account_id) AS is_own
    FROM request r
    JOIN same_email s ON s.request_id = r.id
    GROUP BY 1
), nearest AS MATERIALIZED (
    -- Where nothing fits the details that a request gives: the purchase that the fewest of them are wrong for.
    SELECT DISTINCT ON (r.id) r.id AS request_id, x.other_date, x.other_amount, x.other_currency
    FROM request r
    JOIN same_email s ON s.request_id = r.id AND (coalesce(r.account_id, '') = '' OR s.account_id = r.account_id)
    CROSS JOIN LATERAL (SELECT * FROM {{ valid_purchases }} p WHERE p.account_id = s.account_id OFFSET 0) p
    CROSS JOIN LATERAL (SELECT coalesce((p.completed_at AT TIME ZONE @zone::text)::date <> r.stated_date, false) AS other_date,
                               coalesce(p.amount_minor <> r.stated_amount_minor, false) AS other_amount,
                               coalesce(p.currency <> nullif(r.stated_currency, ''), false) AS other_currency) x
    WHERE r.kind = 'unused_credits' AND coalesce(r.purchase_id, '') = '' AND coalesce(r.invoice_id, '') = ''
      AND NOT EXISTS (SELECT FROM match m WHERE m.request_id = r.id)
      AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
    ORDER BY r.id, x.other_date::int + x.other_amount::int + x.other_currency::int, p.completed_at DESC, p.id COLLATE "C"
), account AS MATERIALIZED (
    -- What this night credits back is booked at its end, which the books see tomorrow; a decision counts it: a failure of ours that was credited
    -- back did not use any credits (clause 2).
    SELECT n.account_id, n.net_opening, n.net_closing - coalesce(b.credits, 0) AS net_closing
    FROM (SELECT m.account_id, {{ net_through_night }}
          FROM reconciler.account_moves m
          WHERE m.business_date = @date::date AND m.account_id = ANY (@accounts::text[])) n
    LEFT JOIN (SELECT b.account_id, sum(b.credit_back) AS credits FROM reconciler.credit_backs b
               WHERE b.business_date = @date::date AND b.account_id = ANY (@accounts::text[]) GROUP BY 1) b ON b.account_id = n.account_id
), lot_use AS MATERIALIZED {{ lot_use }},
job AS MATERIALIZED (
    SELECT r.id AS request_id, j.*
    FROM request r
    CROSS JOIN LATERAL (SELECT DISTINCT ON (j.account_id, j.id) j.* FROM {{ valid_jobs }} j WHERE j.id = r.job_id AND j.created_at < @as_of::timestamptz) j
    WHERE r.kind = 'failed_job'
), booked AS MATERIALIZED (
    SELECT j.request_id, j.account_id, sum(e.net) FILTER (WHERE e.account_id = j.account_id) AS debited,
           sum(e.credited) FILTER (WHERE e.account_id = j.account_id) AS credited, sum(e.net) FILTER (WHERE e.account_id <> j.account_id) AS elsewhere
    FROM job j
    CROSS JOIN LATERAL (SELECT {{ booked_of_job }} FROM {{ entries }} e WHERE e.job_id = j.id AND e.effective_at < @as_of::timestamptz GROUP BY e.account_id) e
    GROUP BY 1, 2
)
SELECT r.id AS request_id, r.kind,
       (SELECT min(d.business_date) FROM reconciler.refund_decisions d
        WHERE d.request_id = r.id AND d.decision IN ('approve', 'deny') AND d.business_date > @date::date) AS decided_by_night, CASE WHEN r.is_pending THEN 'pending' ELSE r.status END AS status, r.requested_at,
       coalesce(nullif(r.account_id, ''), p.account_id, j.account_id, CASE WHEN by_email.accounts = 1 THEN by_email.account_id END, '') AS account_id,
       btrim(r.account_email) <> '' AS states_email, coalesce(r.purchase_id, '') <> '' AS states_purchase, coalesce(r.invoice_id, '') <> '' AS states_invoice,
       coalesce(r.job_id, '') <> '' AS states_job, r.stated_date IS NOT NULL AS states_date, r.stated_amount_minor IS NOT NULL AS states_amount,
       coalesce(r.stated_currency, '') <> '' AS states_currency, btrim(r.reason, E' \t\r\n') <> '' AS states_reason,
       btrim(r.account_email) <> '' AND by_email.accounts IS NULL AS email_unknown,
       coalesce(r.account_id <> '' AND NOT by_email.is_own, false) AS email_of_another,
       nearest.request_id IS NOT NULL AS has_purchases, coalesce(nearest.other_date, false) AS other_date,
       coalesce(nearest.other_amount, false) AS other_amount, coalesce(nearest.other_currency, false) AS other_currency,
       coalesce(m.hits, 0) AS purchase_matches,
       coalesce(p.id, '') AS purchase_id, coalesce(p.kind, '') AS purchase_kind,
       CASE WHEN p.status = 'completed' AND p.completed_at >= @as_of::timestamptz THEN 'pending' ELSE coalesce(p.status, '') END AS purchase_status,
       coalesce(p.amount_minor, 0) AS amount_minor, coalesce(p.currency, '') AS currency,
       CASE WHEN p.status = 'completed' AND p.completed_at < @as_of::timestamptz THEN p.completed_at END AS completed_at,
       coalesce(p.credits, 0) AS credits, coalesce(least(coalesce(u.used_closing, 0), p.credits), 0)::bigint AS used_credits,
       coalesce(c.disputed_at < @as_of::timestamptz, false) AS disputed,
       coalesce(u.refunded_closing < 0, false) OR coalesce(c.refunded_minor > 0 AND c.refunded_at < @as_of::timestamptz, false) AS refunded,
       coalesce(c.charge_id, '') AS charge_id, {{ payment_columns }},
       coalesce(nullif(r.account_id, '') <> p.account_id
                OR coalesce(r.account_id, '') = '' AND lower(nullif(btrim(r.account_email), '')) IS DISTINCT FROM lower(btrim(pa.email)), false) AS other_account,
       coalesce(j.id, '') AS job_id, CASE WHEN j.finished_at >= @as_of::timestamptz THEN 'running' ELSE coalesce(j.status, '') END AS job_status,
       coalesce(j.failure_code, '') AS failure_code,
       CASE WHEN j.finished_at < @as_of::timestamptz THEN j.finished_at END AS job_finished_at,
       least(coalesce(je.debited, 0), 9223372036854775807)::bigint AS job_debited, least(coalesce(je.credited, 0), 9223372036854775807)::bigint AS job_credited,
       least(greatest(coalesce(je.elsewhere, 0), 0), 9223372036854775807)::bigint AS job_debited_elsewhere,
       coalesce(nullif(r.account_id, '') <> j.account_id
                OR coalesce(r.account_id, '') = '' AND lower(nullif(btrim(r.account_email), '')) IS DISTINCT FROM lower(btrim(ja.email)), false) AS other_account_job
FROM request r
LEFT JOIN match m ON m.request_id = r.id
LEFT JOIN {{ valid_purchases }} p ON m.hits = 1 AND p.id = m.purchase_id
LEFT JOIN source.accounts pa ON pa.id = p.account_id
LEFT JOIN lot_use u ON u.lot_kind = 'purchase' AND u.account_id = p.account_id AND u.lot_id = p.id
LEFT JOIN {{ purchase_charges }} c ON c.purchase_id = p.id AND c.account_id = p.account_id
LEFT JOIN job j ON j.request_id = r.id
LEFT JOIN source.accounts ja ON ja.id = j.account_id
LEFT JOIN booked je ON je.request_id = j.request_id AND je.account_id = j.account_id
LEFT JOIN by_email ON by_email.request_id = r.id
LEFT JOIN nearest ON nearest.request_id = r.id
ORDER BY r.id COLLATE "C"
