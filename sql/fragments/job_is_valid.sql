-- What the contract asks of a job; rejects/jobs says in words what a row lacks. What most rows are comes first: millions are asked.
id <> '' AND account_id <> '' AND model IS NOT NULL
   AND kind IN ('image', 'video', 'fine_tune')
   AND credit_cost >= 0
   AND (created_at NOT {{ sane_time }}) IS FALSE -- see entry_is_valid
   AND CASE
           WHEN status = 'succeeded' THEN finished_at BETWEEN created_at AND timestamptz '2199-12-31 23:59:59Z'
           ELSE status IN ('failed', 'interrupted', 'canceled') AND finished_at BETWEEN created_at AND timestamptz '2199-12-31 23:59:59Z'
                OR status IN ('queued', 'running') AND finished_at IS NULL
       END
