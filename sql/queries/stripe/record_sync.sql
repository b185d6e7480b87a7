-- A night that Stripe was looked at for stays so: what the tables are complete through, a later sync that fails, or none for want of a key, takes from
-- nobody, and the night run again says the same.
INSERT INTO reconciler.stripe_syncs AS known (business_date, as_of, status, complete_through, stripe_account, livemode, problem)
VALUES (@date::date, @as_of::timestamptz, @status::text, to_timestamp(nullif(@complete_through::bigint, 0)), @stripe_account::text,
    @livemode::boolean, @problem::text)
ON CONFLICT (business_date) DO UPDATE SET
    as_of = excluded.as_of, status = excluded.status, complete_through = excluded.complete_through,
    stripe_account = excluded.stripe_account, livemode = excluded.livemode, problem = excluded.problem
WHERE excluded.status = 'complete' OR NOT (known.status = 'complete' AND known.as_of = excluded.as_of)
