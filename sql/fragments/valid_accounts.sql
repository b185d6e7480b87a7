-- Accounts that keep the contract.
(SELECT id, email, status, created_at
 FROM source.accounts
 WHERE {{ account_is_valid }})
