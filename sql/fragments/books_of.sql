-- The nights of the books that night @date belongs to, as far as that: each continues from the one before.
(SELECT k.business_date FROM reconciler.book_closings k
 WHERE k.business_date <= @date::date AND k.books_begin = (SELECT l.books_begin FROM reconciler.book_closings l WHERE l.business_date = @date::date))
