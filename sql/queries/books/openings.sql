SELECT measure AS currency, opening FROM reconciler.roll_forward WHERE business_date = @date::date
ORDER BY measure <> 'credits', measure COLLATE "C"
