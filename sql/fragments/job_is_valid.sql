-- What the contract asks of a job; rejects/jobs says in words what a row lacks.
id <> '' AND account_id <> '' AND model IS NOT NULL
   AND kind IN ('fine_tune', 'image', 'video')
   AND status IN ('queued', 'running', 'succeeded', 'failed', 'interrupted', 'canceled')
   AND credit_cost >= 0
   AND created_at {{ sane_time }}
   AND (status IN ('queued', 'running')) = (finished_at IS NULL)
   AND (finished_at IS NULL OR (finished_at {{ sane_time }} AND finished_at >= created_at))
