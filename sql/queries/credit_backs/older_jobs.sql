-- Failed jobs of earlier nights that a late debit or a newly known failure code may make due. The reading has left debits of jobs that didn't
-- finish in the night among the candidates of match-jobs.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
WITH named AS MATERIALIZED (
    SELECT {{ subject_id }} AS job_id FROM reconciler.candidates
    WHERE business_date = @date::date AND job = 'match-jobs' AND NOT in_scan AND debits <> 0
    UNION
    SELECT e.job_id FROM {{ entries_of_night }} e WHERE e.kind = 'adjustment' AND e.job_id IS NOT NULL
)
SELECT @date::date, @job::text, '', x.id, false
FROM (
    SELECT j.id
    FROM named
    CROSS JOIN LATERAL (SELECT DISTINCT ON (j.account_id, j.id) j.* FROM {{ valid_jobs }} j WHERE j.id = named.job_id) j
    WHERE j.status IN ('failed', 'interrupted') AND j.finished_at < @begin::timestamptz
    UNION ALL
    SELECT c.job_id
    FROM reconciler.credit_backs c
    WHERE c.decision = 'pending' AND c.business_date < @date::date
      AND NOT EXISTS (SELECT FROM reconciler.credit_backs d
                      WHERE d.account_id = c.account_id AND d.job_id = c.job_id AND d.business_date > c.business_date
                        AND d.business_date < @date::date AND d.decision = 'credited')
    UNION ALL
    SELECT j.id
    FROM reconciler.rescans r
    JOIN {{ valid_jobs }} j ON j.finished_at >= r.begins AND j.finished_at < r.ends
    WHERE r.business_date = @date::date AND r.relation = 'jobs' AND j.status IN ('failed', 'interrupted')
) x
GROUP BY x.id
ON CONFLICT DO NOTHING
