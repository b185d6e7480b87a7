-- From when on rows are searched for ids that are there twice: the night's own, or all there are where no night was opened before.
(SELECT CASE WHEN EXISTS (SELECT 1 FROM reconciler.control_totals c WHERE c.job = 'source' AND c.business_date < @date::date)
             THEN @begin::timestamptz ELSE '-infinity' END)
