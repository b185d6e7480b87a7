DELETE FROM reconciler.rejects WHERE business_date = @date::date AND cause = 'duplicate'
