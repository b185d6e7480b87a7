-- whether a refund of its charge has answered decision d; one that gave back just what was charged too much answers nothing
EXISTS (SELECT FROM {{ charges_as_of }} c
        LEFT JOIN {{ valid_purchases }} p ON p.id = d.purchase_id AND p.account_id = d.account_id
        LEFT JOIN LATERAL {{ purchase_invoice }} i ON true
        CROSS JOIN LATERAL {{ charge_refunds }} f
        WHERE c.id = d.charge_id AND d.charge_id <> '' AND NOT f.is_surplus)
