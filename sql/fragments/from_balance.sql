-- What an invoice took from the customer's balance for purchase x (account_id, purchase_id), as of @as_of. Looked up only where there are such
-- invoices at all.
(SELECT coalesce((SELECT i.from_balance_minor
                  FROM source.purchases p
                  LEFT JOIN LATERAL {{ main_charge }} c ON true
                  CROSS JOIN LATERAL {{ purchase_invoice }} i
                  WHERE p.account_id = x.account_id AND p.id = x.purchase_id AND i.currency = x.currency
                    AND (SELECT EXISTS (SELECT FROM reconciler.stripe_invoices b WHERE b.from_balance_minor <> 0))), 0)::bigint)
