SELECT books_begin, stripe_through, stripe_opened FROM reconciler.book_closings WHERE business_date = @date::date - 1
