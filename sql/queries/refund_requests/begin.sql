-- Takes out what an earlier run of the night has left and found. approve and deny are final; the others are decided again every night.
WITH found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text),
     matches AS (DELETE FROM reconciler.request_matches WHERE business_date = @date::date AND job = @job::text)
DELETE FROM reconciler.refund_decisions WHERE business_date = @date::date AND decision NOT IN ('approve', 'deny')
