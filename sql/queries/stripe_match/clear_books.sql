WITH activity AS (DELETE FROM reconciler.stripe_activity WHERE business_date = @date::date),
     payouts AS (DELETE FROM reconciler.payout_tie_outs WHERE business_date = @date::date)
DELETE FROM reconciler.stripe_cash WHERE business_date = @date::date
