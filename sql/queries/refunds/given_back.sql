-- The entry by which somebody else has given back the credits that a refund holds, '' where they are still out.
SELECT coalesce((SELECT e.id FROM {{ entries }} e
                 WHERE e.account_id = @account_id::text AND e.purchase_id = @purchase_id::text AND e.kind = 'refund_reversal' AND e.credits = @credits::bigint
                   AND NOT EXISTS (SELECT FROM reconciler.refund_intents i WHERE i.account_id = e.account_id AND i.release_entry_id = e.id)
                   AND (SELECT sum(x.credits) FROM {{ entries }} x
                        WHERE x.account_id = @account_id::text AND x.purchase_id = @purchase_id::text AND x.kind IN ('refund', 'refund_reversal')) >= 0
                 ORDER BY e.created_at DESC, e.id COLLATE "C" LIMIT 1), '') AS entry_id
