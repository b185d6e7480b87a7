-- Whether the night after was closed before this one, and began books of its own; and whether there are subscriptions to earn from, or invoices that
-- moved a customer's balance.
SELECT EXISTS (SELECT FROM reconciler.book_closings WHERE business_date = @date::date + 1 AND books_begin = @next_begin::timestamptz) AS begins_after,
       EXISTS (SELECT FROM reconciler.booked_purchases WHERE kind = 'subscription' AND credits = 0) AND EXISTS (SELECT FROM reconciler.stripe_invoices)
           OR EXISTS (SELECT FROM reconciler.stripe_invoices WHERE from_balance_minor <> 0) AS recognizes
