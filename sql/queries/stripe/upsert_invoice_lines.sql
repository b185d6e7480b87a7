-- The lines of some invoices, all of them: what is no longer there is taken out by stripe/delete_invoice_lines before.
INSERT INTO reconciler.stripe_invoice_lines AS t (invoice_id, id, type, amount_minor, tax_minor, inclusive_tax_minor, currency, proration, subscription_id, period_start, period_end)
SELECT r.invoice_id, r.id, r.type, r.amount_minor, r.tax_minor, r.inclusive_tax_minor, r.currency, r.proration, r.subscription_id,
    to_timestamp(nullif(r.period_start, 0)), to_timestamp(nullif(r.period_end, 0))
FROM unnest(@invoice_id::text[], @id::text[], @type::text[], @amount_minor::bigint[], @tax_minor::bigint[], @inclusive_tax_minor::bigint[], @currency::text[], @proration::boolean[],
        @subscription_id::text[], @period_start::bigint[], @period_end::bigint[])
    AS r(invoice_id, id, type, amount_minor, tax_minor, inclusive_tax_minor, currency, proration, subscription_id, period_start, period_end)
ON CONFLICT (invoice_id, id) DO UPDATE SET
    type = excluded.type, amount_minor = excluded.amount_minor, tax_minor = excluded.tax_minor, inclusive_tax_minor = excluded.inclusive_tax_minor,
        currency = excluded.currency, proration = excluded.proration,
    subscription_id = excluded.subscription_id, period_start = excluded.period_start, period_end = excluded.period_end
