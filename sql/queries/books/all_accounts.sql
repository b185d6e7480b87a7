-- Every account, where there is no night before to go on from.
INSERT INTO reconciler.account_moves (account_id, business_date, net_before, taken, usage, credit_backs, late_net)
SELECT account_id, @date::date, sum(net_before), sum(taken), sum(usage), sum(credit_backs), sum(late_net)
FROM (SELECT x.account_id, {{ moves_of_entries }}, 0 AS net_before
      FROM {{ entries_of_night }} x GROUP BY 1
      UNION ALL
      SELECT e.account_id, 0, 0, 0, 0,
             coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'credit_back') OR e.kind = 'adjustment' AND e.credits <= 0), 0)
      FROM {{ entries }} e WHERE e.effective_at < @begin::timestamptz GROUP BY 1
      UNION ALL
      SELECT p.account_id, 0, 0, 0, 0, 0 FROM reconciler.booked_purchases p WHERE p.booked_at < @end::timestamptz) a
GROUP BY 1
