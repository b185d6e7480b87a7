-- Whether transaction m, with its row x of stripe_late, moved before the books began and is in their opening balance: what arrived of that after
-- the balance was opened has been booked like anything else.
(m.created_at < @books_begin::timestamptz
 AND (x.id IS NULL OR x.booked_on = (SELECT min(k.business_date) FROM reconciler.book_closings k WHERE k.books_begin = @books_begin::timestamptz AND k.stripe_opened)))
