-- One for each outcome of a request, though its account may have come to be known since.
INSERT INTO reconciler.notifications (account_id, request_id, outcome, business_date, amount_minor, currency, message, created_at)
SELECT r.account_id, r.request_id, r.outcome, @date::date, r.amount_minor, r.currency, r.message, @as_of::timestamptz
FROM json_populate_recordset(NULL::reconciler.notifications, @rows::json) r
WHERE NOT EXISTS (SELECT FROM reconciler.notifications n WHERE n.request_id = r.request_id AND n.outcome = r.outcome)
ON CONFLICT (account_id, request_id, outcome) DO NOTHING
