INSERT INTO reconciler.journal_lines (account_id, business_date, entry_id, line_no, kind, role, ledger_account, currency, amount_minor, description, source, clause)
SELECT account_id, @date::date, entry_id, line_no, kind, role, ledger_account, currency, amount_minor, description, source, clause
FROM json_populate_recordset(NULL::reconciler.journal_lines, @rows::json)
