-- The credit ledger as the worker reads it: entries that keep the contract, each with the instant from which it counts.
-- An entry that arrived for a period already reported counts from the night it was booked in.
(SELECT e.id, e.account_id, e.kind, e.credits, e.purchase_id, e.job_id, e.created_at,
        coalesce(l.booked_at, e.created_at) AS effective_at, l.entry_id IS NOT NULL AS is_late
 FROM source.credit_entries e
 LEFT JOIN reconciler.late_items l ON l.account_id = e.account_id AND l.entry_id = e.id
 WHERE {{ entry_is_valid }})
