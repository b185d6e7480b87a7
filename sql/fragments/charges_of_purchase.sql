-- All charges that belong to purchase p, by the links of purchase_of_charge; main_charge is the one that pays it.
(SELECT c.id, c.currency
 FROM reconciler.stripe_charges c
 CROSS JOIN LATERAL {{ purchase_of_charge }} o
 WHERE o.id = p.id AND c.id IN (SELECT l.id FROM {{ charge_links }} l))
