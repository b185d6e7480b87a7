INSERT INTO reconciler.notifications (account_id, request_id, outcome, business_date, amount_minor, currency, message, created_at)
SELECT account_id, request_id, outcome, @date::date, amount_minor, currency, message, @as_of::timestamptz
FROM json_populate_recordset(NULL::reconciler.notifications, @rows::json)
ON CONFLICT (account_id, request_id, outcome) DO NOTHING
