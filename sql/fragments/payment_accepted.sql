-- Whether somebody has resolved that the payment of purchase p is of another amount.
coalesce((SELECT b.closed_as = 'resolved' AND b.closed_on <= @date::date
                  FROM reconciler.breaks b
                  WHERE b.account_id = p.account_id AND b.subject_id = p.id AND b.kind = 'charge_amount_mismatch' AND b.opened_on <= @date::date
                  ORDER BY b.opened_on DESC LIMIT 1), false)
