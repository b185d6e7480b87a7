-- Subscriptions that keep the contract.
(SELECT id, account_id, stripe_subscription_id, plan, status, current_period_start, current_period_end, cancel_requested_at, access_ends_at
 FROM source.subscriptions
 WHERE {{ subscription_is_valid }})
