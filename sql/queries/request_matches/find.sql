-- Which purchases the requests that matter tonight may mean: by id, else by invoice, else by e-mail, business date, amount and currency
-- together. @zone is the time zone of business dates. More than one match for a request is no match; who reads this counts, as of the night's
-- beginning or its end: a purchase of the night can make a request ambiguous that was not.
INSERT INTO reconciler.request_matches (account_id, business_date, request_id, purchase_id, requested_at, status, decided_at, denied_at, hits, opening_hits)
WITH request AS MATERIALIZED (
    SELECT r.*
    FROM {{ valid_requests }} r
    WHERE r.kind = 'unused_credits' AND r.requested_at < @as_of::timestamptz
      AND (r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz)
), unnamed AS MATERIALIZED (
    -- Few, and fenced off: without statistics the planner would compare every purchase ever made with every request.
    SELECT r.* FROM request r
    WHERE coalesce(r.purchase_id, '') = '' AND coalesce(r.invoice_id, '') = '' AND btrim(r.account_email) <> ''
), match AS (
    SELECT r.id AS request_id, r.requested_at, r.status, r.decided_at, p.id AS purchase_id, p.account_id,
           p.created_at < @begin::timestamptz AS at_opening
    FROM request r
    JOIN {{ valid_purchases }} p ON p.id = r.purchase_id
    WHERE r.purchase_id <> '' AND p.created_at < @as_of::timestamptz
    UNION ALL
    SELECT r.id, r.requested_at, r.status, r.decided_at, p.id, p.account_id, p.created_at < @begin::timestamptz
    FROM request r
    JOIN {{ valid_purchases }} p ON p.stripe_invoice_id = r.invoice_id
    WHERE coalesce(r.purchase_id, '') = '' AND r.invoice_id <> '' AND p.created_at < @as_of::timestamptz
    UNION ALL
    SELECT r.id, r.requested_at, r.status, r.decided_at, p.id, p.account_id, p.completed_at < @begin::timestamptz
    FROM unnamed r
    JOIN source.accounts a ON lower(btrim(a.email)) = lower(btrim(r.account_email)) AND (coalesce(r.account_id, '') = '' OR a.id = r.account_id)
    CROSS JOIN LATERAL (SELECT * FROM {{ valid_purchases }} p WHERE p.account_id = a.id OFFSET 0) p
    WHERE p.amount_minor = r.stated_amount_minor AND p.currency = r.stated_currency
      AND (p.completed_at AT TIME ZONE @zone::text)::date = r.stated_date
      AND p.status = 'completed' AND p.completed_at < @as_of::timestamptz
)
SELECT m.account_id, @date::date, m.request_id, m.purchase_id, m.requested_at, m.status, m.decided_at,
       (SELECT min(d.decided_at) FROM reconciler.refund_decisions d WHERE d.request_id = m.request_id AND d.decision = 'deny'),
       count(*) OVER (PARTITION BY m.request_id),
       CASE WHEN m.at_opening THEN count(*) FILTER (WHERE m.at_opening) OVER (PARTITION BY m.request_id) ELSE 0 END
FROM match m
