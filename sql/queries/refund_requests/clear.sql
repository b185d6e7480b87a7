-- Takes out what an earlier run of the night has decided. approve and deny are final; the others are decided again every night.
DELETE FROM reconciler.refund_decisions WHERE business_date = @date::date AND decision NOT IN ('approve', 'deny')
