-- Jobs of nights in which more rows have arrived since they were reported: looked at exactly.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id)
SELECT @date::date, @job::text, '', {{ job_subject }}
FROM reconciler.rescans r
JOIN {{ valid_jobs }} j ON j.finished_at >= r.begins AND j.finished_at < r.ends
WHERE r.business_date = @date::date AND r.relation = 'jobs'
ON CONFLICT DO NOTHING
