WITH lines AS (DELETE FROM reconciler.journal_lines WHERE business_date = @date::date),
balances AS (DELETE FROM reconciler.ledger_balances WHERE business_date = @date::date),
split AS (DELETE FROM reconciler.liability_split WHERE business_date = @date::date),
-- What a later night has continued from stays.
positions AS (DELETE FROM reconciler.subscription_positions p WHERE p.business_date = @date::date
              AND NOT EXISTS (SELECT FROM reconciler.book_closings k WHERE k.business_date > @date::date AND k.books_begin < @end::timestamptz)),
closing AS (DELETE FROM reconciler.book_closings WHERE business_date = @date::date)
SELECT 1 AS cleared
