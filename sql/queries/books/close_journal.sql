INSERT INTO reconciler.book_closings (business_date, books_begin, stripe_from, stripe_through, stripe_opened)
VALUES (@date::date, @books_begin::timestamptz, @from::timestamptz, @through::timestamptz, @stripe_opened::boolean)
