WITH lines AS (DELETE FROM reconciler.journal_lines WHERE business_date = @date::date),
balances AS (DELETE FROM reconciler.ledger_balances WHERE business_date = @date::date),
split AS (DELETE FROM reconciler.liability_split WHERE business_date = @date::date)
DELETE FROM reconciler.book_closings WHERE business_date = @date::date
