-- What the entries e of an account say of a purchase; by account, so that each node adds up its own.
e.account_id, coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('purchase', 'adjustment')), 0) AS credits,
count(*) FILTER (WHERE e.kind IN ('purchase', 'adjustment')) AS entries, count(*) FILTER (WHERE e.kind = 'purchase') AS grants,
-sum(e.credits) FILTER (WHERE e.kind IN ('refund', 'refund_reversal')) AS taken_back
