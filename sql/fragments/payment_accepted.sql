-- Whether somebody has resolved that charge c is of another amount than purchase p, or in another currency.
coalesce((SELECT b.closed_as = 'resolved' AND b.closed_on <= @date::date
                  FROM reconciler.breaks b
                  WHERE b.account_id = p.account_id AND b.subject_id = p.id AND b.opened_on <= @date::date
                    AND b.kind = CASE WHEN c.currency <> p.currency THEN 'charge_currency_mismatch' ELSE 'charge_amount_mismatch' END
                  ORDER BY b.opened_on DESC LIMIT 1), false)
