-- The journal of the nights from @from through @date, under the names that accounts had last.
WITH name AS (
    SELECT l.role, l.currency, (array_agg(l.ledger_account ORDER BY l.business_date DESC, l.ledger_account))[1] AS ledger_account
    FROM {{ books_of }} k JOIN reconciler.journal_lines l ON l.business_date = k.business_date
    GROUP BY 1, 2
)
SELECT l.business_date, l.entry_id, l.line_no, l.account_id, l.kind, n.ledger_account, CASE WHEN l.amount_minor > 0 THEN l.amount_minor END AS debit,
       CASE WHEN l.amount_minor < 0 THEN -l.amount_minor END AS credit, l.currency, l.description, l.source, l.clause
FROM {{ books_of }} k
JOIN reconciler.journal_lines l ON l.business_date = k.business_date
JOIN name n ON n.role = l.role AND n.currency = l.currency
WHERE l.business_date >= @from::date
ORDER BY l.business_date, l.entry_id COLLATE "C", l.account_id COLLATE "C", l.line_no
