-- Whether Stripe was looked at for a night, and if not, why; no row: nobody has tried.
SELECT status, problem, complete_through FROM reconciler.stripe_syncs WHERE business_date = @date::date
