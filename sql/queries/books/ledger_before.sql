-- All that counts before the night, read from the ledger itself: the opening where there is no night before.
SELECT coalesce(sum(e.credits), 0) FROM {{ entries }} e WHERE e.effective_at < @begin::timestamptz
