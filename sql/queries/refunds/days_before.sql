-- Refunds of the 30 days before, one row a day on which there were any. In one currency, or of all with currency ''.
SELECT count(*) AS refunds, least(sum(m.amount_minor), 9223372036854775807)::bigint AS amount_minor
FROM reconciler.refund_intents i
JOIN reconciler.refund_plan_items m ON m.account_id = i.account_id AND m.plan_id = i.plan_id AND m.intent_id = i.intent_id
WHERE i.sent_on >= @day::date - 30 AND i.sent_on < @day::date AND i.state <> 'rejected' AND (@currency::text = '' OR m.currency = @currency::text)
GROUP BY i.sent_on
