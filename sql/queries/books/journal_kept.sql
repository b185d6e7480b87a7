SELECT EXISTS (SELECT FROM reconciler.book_closings WHERE business_date = @date::date)
