-- What a night's journal has before and after it: the instant that the journal of the night before reached, if there is one to continue from; whether the night's refund
-- windows are stated; whether the night after was closed before this one, and began books of its own; and whether there are subscriptions to
-- earn from, or invoices that moved a customer's balance.
SELECT k.business_date IS NOT NULL AS continues, coalesce(k.books_begin, @begin::timestamptz) AS books_begin,
       coalesce(k.stripe_through, @begin::timestamptz) AS stripe_through, coalesce(k.stripe_opened, false) AS stripe_opened,
       coalesce((SELECT r.status = 'completed' FROM reconciler.runs r
                 WHERE r.business_date = @date::date AND r.job = 'refund-windows' ORDER BY r.revision DESC LIMIT 1), false) AS windows_stated,
       EXISTS (SELECT FROM reconciler.book_closings WHERE business_date = @date::date + 1 AND books_begin = @end::timestamptz) AS begins_after,
       EXISTS (SELECT FROM reconciler.booked_purchases WHERE kind = 'subscription' AND credits = 0) AND EXISTS (SELECT FROM reconciler.stripe_invoices)
           OR EXISTS (SELECT FROM reconciler.stripe_invoices WHERE from_balance_minor <> 0) AS recognizes
FROM (SELECT 1) one
LEFT JOIN reconciler.book_closings k ON k.business_date = @date::date - 1
