-- Positions of later nights rest on those of an earlier one that is closed again: they are read anew when they are needed.
DELETE FROM reconciler.account_positions p
USING reconciler.account_moves m
WHERE m.business_date = @date::date AND p.account_id = m.account_id AND p.business_date > @date::date
  AND (SELECT max(later.business_date) FROM reconciler.account_positions later) > @date::date
