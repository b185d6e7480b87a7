-- What has left on a day, as counts and in one currency; what Stripe has definitely refused did not.
SELECT count(*) AS day_count, count(*) FILTER (WHERE i.account_id = @account_id::text) AS customer_count,
       least(coalesce(sum(m.amount_minor) FILTER (WHERE m.currency = @currency::text), 0), 9223372036854775807)::bigint AS day_minor,
       least(coalesce(sum(m.amount_minor) FILTER (WHERE m.currency = @currency::text AND i.account_id = @account_id::text), 0), 9223372036854775807)::bigint AS customer_minor
FROM reconciler.refund_intents i
JOIN reconciler.refund_plan_items m ON m.account_id = i.account_id AND m.plan_id = i.plan_id AND m.intent_id = i.intent_id
WHERE i.sent_on = @day::date AND i.state <> 'rejected'
