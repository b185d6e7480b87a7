-- How many of the credits that a refund holds somebody else has given back already, so that nothing comes back twice.
SELECT greatest(0, @credits::bigint - greatest(0, coalesce(-sum(e.credits), 0)))::bigint
FROM {{ entries }} e
WHERE e.account_id = @account_id::text AND e.purchase_id = @purchase_id::text AND e.kind IN ('refund', 'refund_reversal')
