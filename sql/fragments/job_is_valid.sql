-- What the contract asks of a job; rejects/jobs says in words what a row lacks. What most rows are comes first: millions are asked.
id <> '' AND account_id <> '' AND model IS NOT NULL
   AND kind IN ('image', 'video', 'fine_tune')
   AND credit_cost >= 0
   AND created_at {{ sane_time }}
   AND CASE WHEN status IN ('succeeded', 'failed', 'interrupted', 'canceled') THEN finished_at {{ sane_time }} AND finished_at >= created_at
            ELSE status IN ('queued', 'running') AND finished_at IS NULL END
