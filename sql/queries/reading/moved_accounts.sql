-- Accounts that moved tonight, with where they stood before. In their order, so that neighbours in the indexes are looked up one after the other,
-- here and wherever these rows are read.
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before, taken, usage, credit_backs, late_net, credits)
SELECT a.account_id, @date::date, true, coalesce(p.net_usage, 0) + s.net_usage, coalesce(p.credits, 0) + s.credits,
       a.taken, a.usage, a.credit_backs, a.late_net, a.credits
FROM (SELECT * FROM {{ moves_of_night }} a ORDER BY account_id) a
{{ before_night }}
