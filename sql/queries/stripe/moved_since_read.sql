-- Objects that the balance says have moved since they were read, however final they are held: the source of a balance transaction, and the
-- charge, the refunds, the disputes and a given-up invoice that belong to it; and sources that were never read. Asked for one by one, until an answer is newer
-- than the transaction. For a month also what a transaction contradicts: Stripe may say so before the object does.
WITH moved AS (
    SELECT t.source_id, t.created_at,
           t.created_at >= to_timestamp(@contradiction_since::bigint) AND (
               t.reporting_category = 'dispute_reversal' AND EXISTS (SELECT FROM reconciler.stripe_disputes d WHERE d.id = t.source_id AND d.status = 'lost')
               OR t.reporting_category = 'refund_failure' AND EXISTS (SELECT FROM reconciler.stripe_refunds r WHERE r.id = t.source_id AND r.status NOT IN ('failed', 'canceled'))
               OR t.reporting_category = 'charge_failure' AND EXISTS (SELECT FROM reconciler.stripe_charges c WHERE c.id = t.source_id AND c.status <> 'failed')
               OR t.reporting_category = 'payout_reversal' AND EXISTS (SELECT FROM reconciler.stripe_payouts p WHERE p.id = t.source_id AND p.status NOT IN ('failed', 'canceled'))
           ) AS is_contradicted
    FROM reconciler.stripe_balance_transactions t
    WHERE t.source_id <> ''
      AND (t.created_at >= to_timestamp(@since::bigint)
           OR t.created_at >= to_timestamp(@contradiction_since::bigint)
              AND t.reporting_category IN ('dispute_reversal', 'refund_failure', 'charge_failure', 'payout_reversal'))
), source AS (
    SELECT m.source_id, max(m.created_at) AS moved_at, bool_or(m.is_contradicted) AS is_contradicted
    FROM moved m GROUP BY m.source_id
), charge AS (
    SELECT coalesce(c.id, r.charge_id, d.charge_id) AS id, max(s.moved_at) AS moved_at
    FROM source s
    LEFT JOIN reconciler.stripe_charges c ON c.id = s.source_id
    LEFT JOIN reconciler.stripe_refunds r ON r.id = s.source_id
    LEFT JOIN reconciler.stripe_disputes d ON d.id = s.source_id
    WHERE coalesce(c.id, r.charge_id, d.charge_id, '') <> ''
    GROUP BY 1
)
SELECT stream, id FROM (
    SELECT 'charges' AS stream, c.id FROM charge x JOIN reconciler.stripe_charges c ON c.id = x.id AND c.seen_at <= x.moved_at
    UNION
    SELECT 'refunds', r.id FROM charge x JOIN reconciler.stripe_refunds r ON r.charge_id = x.id AND r.seen_at <= x.moved_at
    UNION
    SELECT 'disputes', d.id FROM charge x JOIN reconciler.stripe_disputes d ON d.charge_id = x.id AND d.seen_at <= x.moved_at
    UNION
    SELECT 'invoices', i.id FROM charge x JOIN reconciler.stripe_charges c ON c.id = x.id AND c.invoice_id <> ''
    JOIN reconciler.stripe_invoices i ON i.id = c.invoice_id AND i.status = 'uncollectible' AND i.seen_at <= x.moved_at
    UNION
    SELECT 'refunds', r.id FROM source s JOIN reconciler.stripe_refunds r ON r.id = s.source_id AND (r.seen_at <= s.moved_at OR s.is_contradicted)
    UNION
    SELECT 'disputes', d.id FROM source s JOIN reconciler.stripe_disputes d ON d.id = s.source_id AND (d.seen_at <= s.moved_at OR s.is_contradicted)
    UNION
    SELECT 'payouts', p.id FROM source s JOIN reconciler.stripe_payouts p ON p.id = s.source_id AND (p.seen_at <= s.moved_at OR s.is_contradicted)
    UNION
    SELECT 'charges', c.id FROM source s JOIN reconciler.stripe_charges c ON c.id = s.source_id AND s.is_contradicted
    UNION
    SELECT 'charges', s.source_id FROM source s
    WHERE s.source_id ~ '^(ch|py)_' AND NOT EXISTS (SELECT FROM reconciler.stripe_charges c WHERE c.id = s.source_id)
    UNION
    SELECT 'refunds', s.source_id FROM source s
    WHERE s.source_id ~ '^(re|pyr)_' AND NOT EXISTS (SELECT FROM reconciler.stripe_refunds r WHERE r.id = s.source_id)
    UNION
    SELECT 'disputes', s.source_id FROM source s
    WHERE s.source_id ~ '^(dp|du)_' AND NOT EXISTS (SELECT FROM reconciler.stripe_disputes d WHERE d.id = s.source_id)
    UNION
    SELECT 'payouts', s.source_id FROM source s
    WHERE s.source_id ~ '^po_' AND NOT EXISTS (SELECT FROM reconciler.stripe_payouts p WHERE p.id = s.source_id)
) named
ORDER BY stream, id
