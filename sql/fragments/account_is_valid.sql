-- What the contract asks of such a row; rejects/accounts says in words what one lacks.
id <> '' AND email IS NOT NULL AND status IN ('active', 'suspended', 'closed') AND created_at {{ sane_time }}
