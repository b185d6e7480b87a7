SELECT measure AS currency, opening::text AS opening, closing::text AS closing FROM reconciler.roll_forward WHERE business_date = @date::date
ORDER BY measure <> 'credits', measure COLLATE "C"
