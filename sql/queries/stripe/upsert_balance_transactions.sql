-- A page or more of balance transactions as Stripe has them now; times are Unix seconds. payout_id is the automatic payout that paid one out,
-- '' where it wasn't asked for by that.
WITH r AS (
    SELECT r.id, r.type, r.reporting_category, r.amount_minor, r.fee_minor, r.fee_tax_minor, nullif(r.other_fees, '')::jsonb AS other_fees, r.net_minor, r.currency,
        r.status, r.source_id, to_timestamp(r.created_at) AS created_at, to_timestamp(r.available_on) AS available_on, r.payout_id
    FROM unnest(@id::text[], @type::text[], @reporting_category::text[], @amount_minor::bigint[], @fee_minor::bigint[], @fee_tax_minor::bigint[],
        @other_fees::text[], @net_minor::bigint[], @currency::text[], @status::text[], @source_id::text[], @created_at::bigint[], @available_on::bigint[], @payout_id::text[])
        AS r(id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, other_fees, net_minor, currency, status, source_id, created_at, available_on, payout_id)
), stale AS (
    -- Nights whose closing does not hold any more: the next one does not continue from them. Locked in order, as spans of time are read side by side.
    UPDATE reconciler.stripe_cash c SET is_stale = true
    FROM (SELECT s.business_date, s.currency FROM reconciler.stripe_cash s
          WHERE NOT s.is_stale AND s.as_of > (
              SELECT min(r.created_at)
              FROM r LEFT JOIN reconciler.stripe_balance_transactions t ON t.id = r.id
              WHERE r.created_at < (SELECT y.as_of FROM reconciler.stripe_cash y WHERE y.as_of IS NOT NULL ORDER BY y.business_date DESC LIMIT 1)
                AND t.net_minor IS DISTINCT FROM r.net_minor)
          ORDER BY s.business_date, s.currency
          FOR UPDATE) x
    WHERE c.business_date = x.business_date AND c.currency = x.currency
), late AS (
    -- Transactions of a time that the journal has booked already, without them: the next night books them.
    INSERT INTO reconciler.stripe_late (id, created_at)
    SELECT r.id, r.created_at FROM r
    WHERE r.created_at < (SELECT max(k.stripe_through) FROM reconciler.book_closings k WHERE k.stripe_opened)
      AND NOT EXISTS (SELECT FROM reconciler.stripe_balance_transactions t WHERE t.id = r.id)
    ON CONFLICT (id) DO NOTHING
)
INSERT INTO reconciler.stripe_balance_transactions AS t (
    id, type, reporting_category, amount_minor, fee_minor, fee_tax_minor, other_fees, net_minor, currency, status, source_id, created_at, available_on,
    payout_id, seen_at
)
SELECT r.id, r.type, r.reporting_category, r.amount_minor, r.fee_minor, r.fee_tax_minor, r.other_fees, r.net_minor, r.currency, r.status, r.source_id,
    r.created_at, r.available_on, r.payout_id, to_timestamp(@seen_at::bigint)
FROM r
ON CONFLICT (id) DO UPDATE SET
    reporting_category = excluded.reporting_category, amount_minor = excluded.amount_minor, fee_minor = excluded.fee_minor,
    fee_tax_minor = excluded.fee_tax_minor, other_fees = excluded.other_fees, net_minor = excluded.net_minor, status = excluded.status, available_on = excluded.available_on,
    payout_id = coalesce(nullif(excluded.payout_id, ''), t.payout_id), seen_at = excluded.seen_at
WHERE (t.reporting_category, t.amount_minor, t.fee_minor, t.fee_tax_minor, t.other_fees, t.net_minor, t.status, t.available_on)
    IS DISTINCT FROM (excluded.reporting_category, excluded.amount_minor, excluded.fee_minor, excluded.fee_tax_minor, excluded.other_fees, excluded.net_minor,
    excluded.status, excluded.available_on)
    OR excluded.payout_id NOT IN ('', t.payout_id)
