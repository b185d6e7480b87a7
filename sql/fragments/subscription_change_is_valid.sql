-- What the contract asks of such a row; rejects/subscription_changes says in words what one lacks.
id <> '' AND account_id <> '' AND subscription_id <> ''
   AND kind IN ('upgrade', 'downgrade', 'cancel') AND from_plan IS NOT NULL
   AND requested_at {{ sane_time }} AND effective_at {{ sane_time }}
