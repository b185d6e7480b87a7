-- What the platform says of booked purchase x by the night: its currency and amount, corrected in place as they may be; 0 where it is completed no
-- more.
(SELECT coalesce(t.currency, x.currency) AS currency, coalesce(t.amount_minor, x.amount_minor)::numeric AS amount_minor
 FROM (SELECT 1) one
 LEFT JOIN LATERAL (SELECT CASE t.content ->> 'status' WHEN 'completed' THEN t.content ->> 'currency' END AS currency,
                           CASE t.content ->> 'status' WHEN 'completed' THEN (t.content ->> 'amount_minor')::bigint ELSE 0 END AS amount_minor
                    FROM reconciler.platform_states t
                    WHERE t.relation = 'purchases' AND t.account_id = x.account_id AND t.row_id = x.purchase_id AND t.seen_as_of <= @as_of::timestamptz
                    ORDER BY t.seen_as_of DESC LIMIT 1) t ON true)
