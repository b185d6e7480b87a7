-- Whether Stripe was looked at for a night, and if not, why; no row: nobody has tried. Unseen is the first of the nights right before it for which it
-- was not.
SELECT status, problem,
       (SELECT min(b.business_date) FROM reconciler.stripe_syncs b
        WHERE b.business_date < @date::date
          AND b.business_date > coalesce((SELECT max(c.business_date) FROM reconciler.stripe_syncs c WHERE c.business_date < @date::date AND c.status = 'complete'), '-infinity')) AS unseen
FROM reconciler.stripe_syncs WHERE business_date = @date::date
