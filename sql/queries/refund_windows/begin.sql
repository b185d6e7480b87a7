-- Takes out what an earlier run of the night has left and found.
WITH found AS (DELETE FROM reconciler.findings WHERE business_date = @date::date AND job = @job::text),
     matches AS (DELETE FROM reconciler.request_matches WHERE business_date = @date::date AND job = @job::text)
DELETE FROM reconciler.refund_windows WHERE business_date = @date::date
