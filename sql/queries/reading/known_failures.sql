-- Failures that every policy version in force in the night puts down to somebody: nothing about such a job is open but its debit.
SELECT f.status || ':' || f.failure_code
FROM reconciler.policy_versions v
JOIN reconciler.failure_classes f ON f.policy = v.policy AND f.version = v.version
WHERE v.policy = @policy::text AND v.effective_from < @end::timestamptz AND v.effective_to > @begin::timestamptz AND f.class <> 'unknown'
GROUP BY 1
HAVING count(*) = (SELECT count(*) FROM reconciler.policy_versions w
                   WHERE w.policy = @policy::text AND w.effective_from < @end::timestamptz AND w.effective_to > @begin::timestamptz)
ORDER BY 1
