-- Read back: what the records say, and what the ledger holds under their entry ids.
SELECT count(*)::text AS records, coalesce(sum(c.credit_back), 0)::text AS recorded, count(e.credits)::text AS entries, coalesce(sum(e.credits), 0)::text AS posted
FROM reconciler.credit_backs c
LEFT JOIN LATERAL (SELECT e.credits FROM source.credit_entries e
                   WHERE e.id = c.entry_id AND e.account_id = c.account_id AND e.job_id = c.job_id AND e.kind = 'credit_back' LIMIT 1) e ON true
WHERE c.business_date = @date::date AND c.decision = 'credited'
