-- What the night brought to each account that moved.
(SELECT account_id, sum(taken) AS taken, sum(usage) AS usage, sum(credit_backs) AS credit_backs, sum(late_net) AS late_net, sum(credits) AS credits
 FROM (SELECT e.account_id, e.taken, e.usage, e.credit_backs, 0 AS late_net, e.credits
       FROM reconciler.account_ledger e WHERE e.business_date = @date::date AND e.kept > 0
       UNION ALL
       SELECT e.account_id, 0, 0, 0, CASE WHEN e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0 THEN -e.credits::numeric ELSE 0 END, e.credits
       FROM {{ late_entries_of_night }} e) m
 GROUP BY 1)
