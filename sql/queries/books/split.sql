SELECT measure, refundable_opening, refundable_closing, nonrefundable_opening, nonrefundable_closing
FROM reconciler.liability_split WHERE business_date = @date::date
ORDER BY measure <> 'credits', measure COLLATE "C"
