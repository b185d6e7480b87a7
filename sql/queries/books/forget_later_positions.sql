-- Positions of later nights rest on those of an earlier one that is closed again: they are read anew when they are needed.
DELETE FROM reconciler.account_positions p
USING reconciler.account_moves m
WHERE m.business_date = @date::date AND p.account_id = m.account_id AND p.business_date > @date::date
  AND EXISTS (SELECT FROM reconciler.account_positions later WHERE later.business_date > @date::date)
