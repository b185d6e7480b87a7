DELETE FROM reconciler.rejects WHERE business_date = @date::date AND field = 'id' AND problem LIKE 'is not unique%'
