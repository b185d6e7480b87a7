-- The night that reads the late rows of jobs and purchases again has now accounted for them.
UPDATE reconciler.input_totals
SET rows = @rows::bigint, amount = @amount::numeric
WHERE business_date = @rescanned::date AND relation = @relation::text
