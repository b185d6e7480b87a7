-- A rerun whose report differs: its run rows become the next revision's.
INSERT INTO reconciler.runs (business_date, job, revision, status, as_of, attempt, worker, code_version, policy_version, counts, error, started_at, finished_at)
SELECT business_date, job, @revision::int, status, as_of, 1, worker, code_version, policy_version, counts, error, started_at, finished_at
FROM reconciler.runs
WHERE business_date = @date::date AND revision = @revision::int - 1
ON CONFLICT (business_date, job, revision) DO NOTHING
