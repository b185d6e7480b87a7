SELECT {{ failed_jobs }}::text AS failed
