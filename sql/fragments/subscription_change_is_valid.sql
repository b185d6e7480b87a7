-- What the contract asks of such a row; rejects/subscription_changes says in words what one lacks. IS FALSE as in entry_is_valid.
id <> '' AND account_id <> '' AND subscription_id <> ''
   AND kind IN ('upgrade', 'downgrade', 'cancel') AND from_plan IS NOT NULL
   AND (requested_at NOT {{ sane_time }} OR effective_at NOT {{ sane_time }}) IS FALSE
