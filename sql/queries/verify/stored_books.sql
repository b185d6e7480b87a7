-- What is stored of a night's books, a line for each table: whoever works the night out again tells by it whether the same rows came out. Months and later
-- nights are made from these, not from the files. Without texts, which another version may word in another way.
SELECT 'journal_lines' AS stored, count(*) AS rows,
       coalesce(sum(hashtextextended(concat_ws('|', l.account_id, l.entry_id, l.line_no, l.kind, l.role, l.currency, l.amount_minor), 0)), 0)::text AS hash
FROM reconciler.journal_lines l WHERE l.business_date = @date::date
UNION ALL
SELECT 'ledger_balances', count(*), coalesce(sum(hashtextextended(concat_ws('|', b.role, b.currency, b.opening, b.closing), 0)), 0)::text
FROM reconciler.ledger_balances b WHERE b.business_date = @date::date
UNION ALL
SELECT 'roll_forward', count(*), coalesce(sum(hashtextextended(concat_ws('|', r.measure, r.opening, r.purchases, r.promotions, r.usage, r.credit_backs, r.refunds,
       r.adjustments, r.late_items, r.closing_from_lots), 0)), 0)::text
FROM reconciler.roll_forward r WHERE r.business_date = @date::date
ORDER BY 1
