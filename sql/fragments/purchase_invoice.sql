-- The invoice that purchase p was billed by, or that its charge c paid: as of the night, null where there is none. What it took from the
-- customer's balance was not paid by the charge.
(SELECT i.id, i.status, i.currency, i.total_minor, i.paid_at, i.paid_out_of_band AND i.paid_at < @as_of::timestamptz AS paid_out_of_band,
        CASE WHEN i.finalized_at < @as_of::timestamptz THEN i.from_balance_minor ELSE 0 END AS from_balance_minor
 FROM reconciler.stripe_invoices i
 WHERE (p.stripe_invoice_id <> '' OR c.invoice_id <> '') -- of most purchases nothing is looked up
   AND i.id IN (p.stripe_invoice_id, c.invoice_id) AND i.id <> '' AND i.created_at < @as_of::timestamptz
 ORDER BY i.id = p.stripe_invoice_id DESC NULLS LAST
 LIMIT 1)
