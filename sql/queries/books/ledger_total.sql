-- The ledger itself, summed from its first entry to the end of the night: what the closing, rolled forward from night to night, must still be.
-- It reads the whole ledger, in order that a row which no night has seen can't go unnoticed.
SELECT coalesce(sum(e.credits), 0) FROM {{ entries }} e WHERE e.effective_at < @as_of::timestamptz
