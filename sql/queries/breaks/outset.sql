-- What there is to merge: how many findings the job has tonight, and whether breaks of it stand in the night or were closed in it.
SELECT (SELECT count(*) FROM reconciler.findings f WHERE f.business_date = @date::date AND f.job = @job::text) AS found,
       EXISTS (SELECT FROM reconciler.breaks b WHERE b.job = @job::text AND b.opened_on <= @date::date AND b.closed_on IS NULL)
       OR EXISTS (SELECT FROM reconciler.breaks b WHERE b.job = @job::text AND b.opened_on <= @date::date AND b.closed_on >= @date::date) AS standing
