SELECT ledger_account AS account, currency, opening, closing
FROM reconciler.ledger_balances WHERE business_date = @date::date
ORDER BY ledger_account COLLATE "C", currency
