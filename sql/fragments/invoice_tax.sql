-- What of the amount of purchase p is tax, by its invoice as of @as_of: the invoice's tax in proportion, where the two amounts differ. Looked up only
-- where invoices name tax at all.
(SELECT coalesce((SELECT CASE WHEN i.total_minor = p.amount_minor THEN i.tax_minor ELSE div(i.tax_minor::numeric * p.amount_minor, i.total_minor) END
                  FROM (SELECT 1) one
                  LEFT JOIN LATERAL {{ main_charge }} c ON true
                  CROSS JOIN LATERAL (SELECT v.total_minor, v.tax_minor FROM reconciler.stripe_invoices v
                                      WHERE v.id IN (p.stripe_invoice_id, c.invoice_id) AND v.id <> '' AND v.created_at < @as_of::timestamptz AND v.currency = p.currency
                                      ORDER BY v.id = p.stripe_invoice_id DESC NULLS LAST
                                      LIMIT 1) i
                  WHERE i.tax_minor > 0 AND i.total_minor >= i.tax_minor
                    AND (SELECT EXISTS (SELECT FROM reconciler.stripe_invoices b WHERE b.tax_minor <> 0))), 0)::bigint)
