-- What Stripe charged a customer, newest first: for each purchase the charge that pays it (main_charge) and every other one, and what no purchase
-- names and the account's e-mail address, or the customer of Stripe's who paid its purchases, has paid. What of each went back.
WITH linked AS MATERIALIZED (
    SELECT o.purchase_id, c.id, c.customer_id, row_number() OVER (PARTITION BY o.purchase_id ORDER BY c.status = 'failed', o.link, c.status <> 'succeeded', c.created_at, c.id) AS place
    FROM {{ account_charges }} o
    JOIN reconciler.stripe_charges c ON c.id = o.charge_id
), found AS (
    SELECT l.purchase_id, l.id, l.place FROM linked l
    UNION ALL
    SELECT '', x.id, 0
    FROM (SELECT c.id FROM reconciler.stripe_charges c WHERE lower(c.email) = lower(@email::text) AND c.email <> ''
          UNION
          SELECT c.id FROM (SELECT DISTINCT l.customer_id FROM linked l WHERE l.customer_id <> '') l
          JOIN reconciler.stripe_charges c ON c.customer_id = l.customer_id AND c.customer_id <> '' AND (c.email <> '' OR c.metadata <> '{}')) x
    WHERE x.id NOT IN (SELECT l.id FROM linked l)
)
SELECT c.id, f.purchase_id, c.created_at, c.method, c.currency, CASE WHEN c.captured OR c.captured_minor > 0 THEN c.captured_minor ELSE c.amount_minor END AS amount,
    CASE WHEN c.status = 'succeeded' AND c.captured_minor > 0 THEN r.refunded END AS refunded,
       CASE WHEN c.status = 'failed' THEN 'failed: nothing was taken'
            WHEN c.status <> 'succeeded' THEN 'is ' || c.status || ': nothing was taken yet'
            WHEN c.captured_minor = 0 THEN 'only reserved: nothing was taken yet'
            WHEN f.purchase_id = '' THEN 'taken; no purchase of the platform names it'
            WHEN f.place = 1 THEN 'pays for the purchase'
            ELSE 'charged again for the same purchase' END
       || CASE WHEN c.status = 'succeeded' AND c.captured_minor > 0 AND NOT c.captured THEN '; more may be taken' ELSE '' END || coalesce(d.says, '') AS what
FROM found f
JOIN reconciler.stripe_charges c ON c.id = f.id
CROSS JOIN LATERAL (SELECT coalesce(sum(r.amount_minor), 0) AS refunded FROM reconciler.stripe_refunds r
                    WHERE r.charge_id = c.id AND r.status NOT IN ('failed', 'canceled')
                      AND {{ money_back }}) r
CROSS JOIN LATERAL (SELECT string_agg('; disputed (' || replace(d.status, '_', ' ') || ')', '' ORDER BY d.created_at, d.id) AS says
                    FROM reconciler.stripe_disputes d WHERE d.charge_id = c.id) d
ORDER BY c.created_at DESC, c.id COLLATE "C", f.purchase_id COLLATE "C"
LIMIT @most::int
