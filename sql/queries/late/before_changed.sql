-- By how much the ledger before a night is no longer what that night has noted.
SELECT now.entries - b.entries AS gained, now.credits - b.credits AS gained_amount
FROM reconciler.ledger_before b
CROSS JOIN (SELECT count(*) AS entries, coalesce(sum(e.credits), 0) AS credits FROM {{ stamped_entries }} e WHERE e.at < @ends::timestamptz) now
WHERE b.business_date = @date::date
