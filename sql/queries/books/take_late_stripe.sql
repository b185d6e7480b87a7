-- The newest night of the journal takes what arrived at Stripe since; one that others have continued from stays as it was.
UPDATE reconciler.stripe_late SET booked_on = @date::date
WHERE booked_on IS NULL AND created_at < @end::timestamptz
  AND NOT EXISTS (SELECT FROM reconciler.book_closings k WHERE k.business_date > @date::date)
