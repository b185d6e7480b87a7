-- What the contract asks of such a row; rejects/subscriptions says in words what one lacks.
id <> '' AND account_id <> '' AND stripe_subscription_id <> '' AND plan IS NOT NULL AND status IS NOT NULL
   AND current_period_start {{ sane_time }} AND current_period_end {{ sane_time }}
   AND current_period_end >= current_period_start
   AND (cancel_requested_at {{ sane_end }}) IS NOT FALSE AND (access_ends_at {{ sane_end }}) IS NOT FALSE
