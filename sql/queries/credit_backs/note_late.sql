-- Booked after a later night had been reported: a late item of the night that is still open.
INSERT INTO reconciler.late_items (account_id, entry_id, entry_date, booked_on, booked_at, credits)
SELECT c.account_id, c.entry_id, c.business_date, @booked_on::date, c.booked_at, c.credit_back
FROM reconciler.credit_backs c
WHERE c.business_date = @date::date AND c.decision = 'credited' AND c.booked_at > @as_of::timestamptz
ON CONFLICT (account_id, entry_id) DO NOTHING
