-- Takes out what an earlier run of the night has left and found, and says whether Stripe was looked at for it; where it wasn't, what was counted
-- goes too.
WITH look AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM reconciler.stripe_syncs y WHERE y.business_date = @date::date AND y.status = 'complete') AS complete
), found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text),
looked_at AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[])),
checks AS (DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text),
totals AS (DELETE FROM reconciler.control_totals WHERE business_date = @date::date AND job = @job::text AND NOT (SELECT complete FROM look)),
-- What one job alone keeps.
activity AS (DELETE FROM reconciler.stripe_activity WHERE business_date = @date::date AND @job::text = 'stripe-books'),
cash AS (DELETE FROM reconciler.stripe_cash WHERE business_date = @date::date AND @job::text = 'stripe-books'),
payouts AS (DELETE FROM reconciler.payout_tie_outs WHERE business_date = @date::date AND @job::text = 'stripe-books'),
cases AS (DELETE FROM reconciler.dispute_cases WHERE business_date = @date::date AND @job::text = 'disputes'),
subscriptions AS (DELETE FROM reconciler.subscription_checks WHERE business_date = @date::date AND @job::text = 'subscriptions')
SELECT complete FROM look
