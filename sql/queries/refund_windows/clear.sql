DELETE FROM reconciler.refund_windows WHERE business_date = @date::date
