-- Whether the night before has been closed and ties, so that this one can continue from there.
SELECT coalesce(bool_and(closing = closing_from_lots) AND bool_or(measure = 'credits'), false)
FROM reconciler.roll_forward WHERE business_date = @date::date - 1
