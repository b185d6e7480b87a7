-- What the contract asks of such a row; rejects/purchases says in words what one lacks.
id <> '' AND account_id <> ''
   AND kind IN ('credits', 'subscription')
   AND credits >= 0 AND amount_minor >= 0
   AND currency IN ({{ currencies }})
   AND status IN ('pending', 'completed', 'failed')
   AND (created_at NOT {{ sane_time }}) IS FALSE -- see entry_is_valid
   AND (status <> 'completed' OR completed_at IS NOT NULL)
   AND (completed_at IS NULL OR (completed_at {{ sane_time }} AND completed_at >= created_at)) IS TRUE
