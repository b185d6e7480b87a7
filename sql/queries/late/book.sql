INSERT INTO reconciler.late_items (account_id, entry_id, entry_date, booked_on, booked_at, credits)
VALUES (@account_id::text, @entry_id::text, @entry_date::date, @booked_on::date, @booked_at::timestamptz, @credits::numeric)
ON CONFLICT (account_id, entry_id) DO NOTHING
