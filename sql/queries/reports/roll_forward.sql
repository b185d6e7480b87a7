SELECT measure, opening, purchases, promotions, usage, credit_backs, refunds, adjustments, late_items, closing, closing_from_lots,
       closing - closing_from_lots AS difference
FROM reconciler.roll_forward
WHERE business_date = @date::date
ORDER BY measure <> 'credits', measure COLLATE "C"
