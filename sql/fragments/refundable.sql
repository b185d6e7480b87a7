-- What a refund pays back of payment m, with what of it went back as a surplus (r) and what invoice i took from the customer's balance; null while
-- that is not known. reconcile.Payment.Refundable is its home, and a test compares this with it.
CASE WHEN m.fee_minor IS NULL OR m.settled_minor < 0 OR m.fee_minor > 0 AND m.settled_minor = 0 THEN NULL
     ELSE greatest(0, m.captured_minor - r.surplus_minor + least(0, coalesce(i.from_balance_minor, 0))
                      - CASE WHEN m.fee_minor <= 0 THEN 0
                             ELSE (SELECT {{ converted }} FROM (SELECT m.fee_minor AS minor, m.captured_minor AS is_worth, m.settled_minor AS all_minor) x) END) END
