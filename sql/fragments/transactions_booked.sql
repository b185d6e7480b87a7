-- Balance transactions that the night's journal books: those from the instant that it had reached on, and older ones that have arrived since. What is from before the
-- books is in their opening, where this night opens them.
(SELECT n.* FROM reconciler.stripe_balance_transactions n
 WHERE n.created_at >= @from::timestamptz AND n.created_at < @as_of::timestamptz
   AND NOT EXISTS (SELECT FROM reconciler.stripe_late l WHERE l.id = n.id AND l.booked_on IS DISTINCT FROM @date::date)
 UNION ALL
 SELECT n.* FROM reconciler.stripe_late l JOIN reconciler.stripe_balance_transactions n ON n.id = l.id
 WHERE l.booked_on = @date::date AND l.created_at < @from::timestamptz AND (l.created_at >= @books_begin::timestamptz OR NOT @opens::boolean))
