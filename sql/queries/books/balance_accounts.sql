-- Each account of the balance sheet: what the night before closed with, and the night's lines.
INSERT INTO reconciler.ledger_balances (business_date, role, currency, ledger_account, opening, closing)
SELECT @date::date, b.role, b.currency, r.name || CASE WHEN b.currency = 'credits' THEN '' ELSE ':' || upper(b.currency) END,
       sum(b.opening), sum(b.opening) + sum(b.moved)
FROM (SELECT role, currency, closing AS opening, 0 AS moved FROM reconciler.ledger_balances WHERE business_date = @date::date - 1 AND @continues::boolean
      UNION ALL
      SELECT role, currency, 0, sum(amount_minor) FROM reconciler.journal_lines WHERE business_date = @date::date GROUP BY 1, 2) b
JOIN unnest(@roles::text[], @names::text[]) AS r (role, name) ON r.role = b.role
GROUP BY 2, 3, 4
