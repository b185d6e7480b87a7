SELECT DISTINCT ledger_account AS account, currency
FROM reconciler.journal_lines WHERE business_date = @date::date
ORDER BY 1, 2
