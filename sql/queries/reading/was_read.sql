SELECT EXISTS (SELECT FROM reconciler.input_totals t WHERE t.business_date = @date::date)
