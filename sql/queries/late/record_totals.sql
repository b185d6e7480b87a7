-- What the night has read, relation by relation, and how many changes of plan took effect in it. Jobs and entries were added up when they were read.
WITH by_account AS (
    INSERT INTO reconciler.account_entries (account_id, business_date, entries, credits, id_hash)
    SELECT e.account_id, @date::date, e.kept, e.credits, e.id_hash
    FROM reconciler.account_ledger e WHERE e.business_date = @date::date AND e.kept > 0
)
INSERT INTO reconciler.input_totals (business_date, relation, rows, amount, id_hash)
SELECT @date::date, 'credit_entries', coalesce(sum(e.kept), 0), coalesce(sum(e.credits), 0), coalesce(bit_xor(e.id_hash), 0)
FROM reconciler.account_ledger e WHERE e.business_date = @date::date
UNION ALL
SELECT @date::date, 'jobs', coalesce(sum(j.jobs), 0), coalesce(sum(j.cost), 0), coalesce(bit_xor(j.id_hash), 0)
FROM reconciler.account_jobs j WHERE j.business_date = @date::date
UNION ALL
SELECT @date::date, 'purchases', count(*), coalesce(sum(p.credits), 0), coalesce(bit_xor(hashtextextended(p.id, 0)), 0)
FROM {{ valid_purchases }} p
WHERE p.status = 'completed' AND p.completed_at >= @begin::timestamptz AND p.completed_at < @end::timestamptz
UNION ALL
SELECT @date::date, 'subscription_changes', count(*), 0, 0
FROM {{ valid_subscription_changes }} h WHERE h.effective_at >= @begin::timestamptz AND h.effective_at < @end::timestamptz
