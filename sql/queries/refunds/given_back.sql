-- The entry by which somebody else has given back the credits that a refund holds, '' where they are still out.
WITH entry AS MATERIALIZED (
    SELECT e.id, e.kind, e.credits, e.created_at
    FROM {{ entries }} e
    WHERE e.account_id = @account_id::text AND e.purchase_id = @purchase_id::text AND e.kind IN ('refund', 'refund_reversal')
)
SELECT coalesce((SELECT e.id FROM entry e
                 WHERE e.kind = 'refund_reversal' AND e.credits = @credits::bigint
                   AND NOT EXISTS (SELECT FROM reconciler.refund_intents i WHERE i.account_id = @account_id::text AND i.release_entry_id = e.id)
                   AND (SELECT sum(x.credits) FROM entry x) >= 0
                 ORDER BY e.created_at DESC, e.id COLLATE "C" LIMIT 1), '') AS entry_id
