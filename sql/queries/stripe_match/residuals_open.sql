-- Whether Stripe's own books have not tied lately.
SELECT EXISTS (SELECT FROM reconciler.breaks b
               WHERE b.job = @job::text AND b.kind IN ('balance_residual', 'payout_residual')
                 AND b.opened_on <= @date::date AND (b.closed_on IS NULL OR b.closed_on > @date::date))
