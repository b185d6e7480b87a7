-- What at Stripe has not tied lately: its balance, and which payouts.
SELECT count(*) FILTER (WHERE b.kind = 'balance_residual') > 0 AS balance,
       coalesce(array_agg(b.subject_id) FILTER (WHERE b.kind = 'payout_residual'), '{}') AS payouts
FROM reconciler.breaks b
WHERE b.job = @job::text AND b.kind IN ('balance_residual', 'payout_residual')
  AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date)
