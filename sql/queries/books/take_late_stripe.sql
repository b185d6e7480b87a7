-- The newest night of the journal takes what turned up at Stripe since; one that others have gone on from stays as it was.
UPDATE reconciler.stripe_late SET booked_on = @date::date
WHERE booked_on IS NULL AND created_at < @through::timestamptz
  AND NOT EXISTS (SELECT FROM reconciler.book_closings k WHERE k.business_date > @date::date)
