-- Reads nothing, and fails where the server would not let the worker read all of a relation: of a view it says so for what is behind it.
SELECT 1 AS none FROM source.accounts WHERE false
UNION ALL SELECT 1 FROM source.purchases WHERE false
UNION ALL SELECT 1 FROM source.jobs WHERE false
UNION ALL SELECT 1 FROM source.credit_entries WHERE false
UNION ALL SELECT 1 FROM source.refund_requests WHERE false
UNION ALL SELECT 1 FROM source.subscriptions WHERE false
UNION ALL SELECT 1 FROM source.subscription_changes WHERE false
