SELECT entry_id, line_no, account_id, kind, ledger_account, CASE WHEN amount_minor > 0 THEN amount_minor END AS debit,
       CASE WHEN amount_minor < 0 THEN -amount_minor END AS credit, currency, description, source, clause
FROM reconciler.journal_lines
WHERE business_date = @date::date
ORDER BY entry_id COLLATE "C", account_id COLLATE "C", line_no
