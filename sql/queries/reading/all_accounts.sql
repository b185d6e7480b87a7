-- Every account, where there is no night before to go on from.
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before, taken, usage, credit_backs, late_net, credits)
SELECT account_id, @date::date, bool_or(moved), sum(net_before), sum(balance_before), sum(taken), sum(usage), sum(credit_backs), sum(late_net), sum(credits)
FROM (SELECT m.account_id, true AS moved, 0 AS net_before, 0 AS balance_before, m.taken, m.usage, m.credit_backs, m.late_net, m.credits
      FROM {{ moves_of_night }} m
      UNION ALL
      SELECT e.account_id, false, coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0), 0),
             sum(e.credits), 0, 0, 0, 0, 0
      FROM {{ entries }} e WHERE e.effective_at < @begin::timestamptz GROUP BY 1) a
GROUP BY 1
