-- What of the credits of q's purchase was taken back for refunds by the night, on q's account.
(SELECT e.account_id, coalesce(-sum(e.credits), 0) AS taken, count(*) FILTER (WHERE e.kind = 'refund_reversal') AS reversals,
        min(e.effective_at) FILTER (WHERE e.kind = 'refund') AS taken_at
 FROM {{ entries }} e
 WHERE e.account_id = q.account_id AND e.purchase_id = q.purchase_id AND e.kind IN ('refund', 'refund_reversal') AND e.effective_at < @as_of::timestamptz
 GROUP BY e.account_id)
