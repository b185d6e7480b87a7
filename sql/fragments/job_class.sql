-- What the policy in force when the job finished says of its failure. Filled before use by policy/add_class.
LEFT JOIN reconciler.policy_versions v ON v.policy = @policy::text AND j.finished_at >= v.effective_from AND j.finished_at < v.effective_to
LEFT JOIN reconciler.failure_classes f ON f.policy = v.policy AND f.version = v.version AND f.status = j.status AND f.failure_code = coalesce(j.failure_code, '')
