-- Every account, where there is no night before to continue from. A night that is still open notes what it continues from, for later nights to tell by
-- what arrives there.
WITH before AS MATERIALIZED (
    SELECT e.account_id, coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0), 0) AS net_usage,
           sum(e.credits) AS balance,
           count(*) FILTER (WHERE NOT e.is_late) AS entries, sum(e.credits) FILTER (WHERE NOT e.is_late) AS credits,
           bit_xor(hashtextextended(e.id, 0)) FILTER (WHERE NOT e.is_late) AS id_hash
    FROM {{ entries }} e WHERE e.effective_at < @begin::timestamptz GROUP BY 1
), noted AS (
    INSERT INTO reconciler.account_entries_before (account_id, business_date, entries, credits, id_hash)
    SELECT b.account_id, @date::date, b.entries, b.credits, b.id_hash FROM before b WHERE b.entries > 0 AND @is_open::boolean
)
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before, taken, usage, credit_backs, late_net, credits)
SELECT account_id, @date::date, bool_or(moved), sum(net_before), sum(balance_before), sum(taken), sum(usage), sum(credit_backs), sum(late_net), sum(credits)
FROM (SELECT m.account_id, true AS moved, 0 AS net_before, 0 AS balance_before, m.taken, m.usage, m.credit_backs, m.late_net, m.credits
      FROM {{ moves_of_night }} m
      UNION ALL
      SELECT b.account_id, false, b.net_usage, b.balance, 0, 0, 0, 0, 0 FROM before b) a
GROUP BY 1
