-- Every account of the books through night @date: what it held before @from, what was debited and credited since, what it holds. Worked out
-- from the journal's lines alone. An account is what a role has in a currency, by the name that it had last.
SELECT l.role, l.currency, (array_agg(l.ledger_account ORDER BY l.business_date DESC, l.ledger_account))[1] AS ledger_account,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.business_date < @from::date), 0) AS opening,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.business_date >= @from::date AND l.amount_minor > 0), 0) AS debits,
       coalesce(-sum(l.amount_minor) FILTER (WHERE l.business_date >= @from::date AND l.amount_minor < 0), 0) AS credits,
       sum(l.amount_minor) AS closing,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.business_date >= date_trunc('year', @from::date)), 0) AS this_year,
       -- What was carried from night to night on its own; of accounts that aren't, nothing.
       max(b.closing) AS carried
FROM {{ books_of }} k
JOIN reconciler.journal_lines l ON l.business_date = k.business_date
LEFT JOIN reconciler.ledger_balances b ON b.business_date = @date::date AND b.role = l.role AND b.currency = l.currency
GROUP BY 1, 2
ORDER BY 3, 2
