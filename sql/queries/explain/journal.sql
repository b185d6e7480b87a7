-- The lines of entry @entry_id in the journal of night @date, and what it is about.
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = l.business_date) AS at, 'journal.csv of ' || l.business_date AS source, l.clause,
       'entry ' || l.entry_id || ' (' || l.description || '): ' || CASE WHEN l.amount_minor > 0 THEN 'debit '
           ELSE 'credit ' END || l.ledger_account || ' ' || {{ amount_mark }} || abs(l.amount_minor) || ' ' || l.currency || {{ amount_mark }}
       || CASE WHEN l.source = '' THEN '; it sums up the rows of that night, see its other files' ELSE '' END AS says,
       l.source AS about
FROM reconciler.journal_lines l
WHERE l.business_date = @date::date AND l.entry_id = @entry_id::text
ORDER BY l.account_id COLLATE "C", l.line_no
