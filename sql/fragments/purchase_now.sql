-- What booked purchase x is by the night, in which currency and amount: as the platform has it, corrected in place as it may be; 0 where it is completed
-- no more. Where somebody has accepted that it was paid in another currency: what was paid.
(SELECT coalesce(a.currency, t.currency, x.currency) AS currency, coalesce(a.amount_minor, t.amount_minor, x.amount_minor)::numeric AS amount_minor
 FROM (SELECT 1) one
 LEFT JOIN LATERAL (SELECT CASE WHEN t.content ->> 'status' = 'completed' THEN t.content ->> 'currency' END AS currency,
                           CASE WHEN t.content ->> 'status' = 'completed' THEN (t.content ->> 'amount_minor')::bigint ELSE 0 END AS amount_minor
                    FROM reconciler.platform_states t
                    WHERE t.relation = 'purchases' AND t.account_id = x.account_id AND t.row_id = x.purchase_id AND t.seen_as_of <= @as_of::timestamptz
                    ORDER BY t.seen_as_of DESC LIMIT 1) t ON true
 LEFT JOIN LATERAL (SELECT c.currency, c.captured_minor + coalesce(i.from_balance_minor, 0) AS amount_minor
                    -- Nothing of a purchase is looked up of which nobody has accepted anything of the kind.
                    FROM (SELECT p.* FROM source.purchases p
                          WHERE p.account_id = x.account_id AND p.id = x.purchase_id AND t.amount_minor IS DISTINCT FROM 0
                            AND EXISTS (SELECT FROM reconciler.breaks b
                                        WHERE b.account_id = x.account_id AND b.subject_id = x.purchase_id AND b.kind = 'charge_currency_mismatch' AND b.closed_as = 'resolved')
                          OFFSET 0) p
                    CROSS JOIN LATERAL {{ main_charge }} c
                    LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
                    WHERE c.currency <> p.currency AND c.status = 'succeeded' AND c.captured_minor > 0 AND {{ payment_accepted }}) a ON true)
