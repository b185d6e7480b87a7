-- Subscription changes that keep the contract.
(SELECT id, account_id, subscription_id, kind, from_plan, to_plan, requested_at, effective_at, stripe_invoice_id
 FROM source.subscription_changes
 WHERE {{ subscription_change_is_valid }})
