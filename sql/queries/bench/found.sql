-- Jobs of the debit breaks that the night opened.
SELECT DISTINCT subject_id FROM reconciler.breaks
WHERE opened_on = @date::date AND job = 'match-jobs' AND kind IN ('job_without_debit', 'debit_without_job', 'debit_amount_mismatch', 'duplicate_debit', 'debit_account_mismatch')
