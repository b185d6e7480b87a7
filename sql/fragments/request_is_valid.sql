-- What the contract asks of such a row; rejects/refund_requests says in words what one lacks.
id <> ''
   AND kind IN ('unused_credits', 'failed_job')
   AND account_email IS NOT NULL AND reason IS NOT NULL
   AND status IN ('pending', 'approved', 'denied', 'withdrawn')
   AND (requested_at NOT {{ sane_time }}) IS FALSE -- see entry_is_valid
   AND (decided_at IS NULL OR (decided_at {{ sane_time }} AND decided_at >= requested_at))
   AND (stated_amount_minor IS NULL OR stated_amount_minor >= 0)
   AND (stated_currency IS NULL OR stated_currency IN ({{ currencies }}))
