-- Takes out what an earlier run of the night has left and found; where Stripe was not looked at for the night, what was counted goes too.
WITH found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text),
looked_at AS (DELETE FROM reconciler.candidates WHERE business_date = @date::date AND job = ANY (@scopes::text[])),
checks AS (DELETE FROM reconciler.stripe_checks WHERE business_date = @date::date AND job = @job::text),
totals AS (DELETE FROM reconciler.control_totals WHERE business_date = @date::date AND job = @job::text AND NOT @looked::boolean),
-- What one job alone keeps.
activity AS (DELETE FROM reconciler.stripe_activity WHERE business_date = @date::date AND @job::text = 'stripe-books'),
cash AS (DELETE FROM reconciler.stripe_cash WHERE business_date = @date::date AND @job::text = 'stripe-books'),
payouts AS (DELETE FROM reconciler.payout_tie_outs WHERE business_date = @date::date AND @job::text = 'stripe-books'),
cases AS (DELETE FROM reconciler.dispute_cases WHERE business_date = @date::date AND @job::text = 'disputes'),
subscriptions AS (DELETE FROM reconciler.subscription_checks WHERE business_date = @date::date AND @job::text = 'subscriptions')
SELECT 1 AS begun
