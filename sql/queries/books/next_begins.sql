-- Whether the night after was closed before this one, and began books of its own.
SELECT EXISTS (SELECT FROM reconciler.book_closings WHERE business_date = @date::date + 1 AND books_begin = @next_begin::timestamptz)
