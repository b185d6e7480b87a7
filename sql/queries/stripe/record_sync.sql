INSERT INTO reconciler.stripe_syncs (business_date, as_of, status, complete_through, stripe_account, livemode, problem)
VALUES (@date::date, @as_of::timestamptz, @status::text, to_timestamp(nullif(@complete_through::bigint, 0)), @stripe_account::text,
    @livemode::boolean, @problem::text)
ON CONFLICT (business_date) DO UPDATE SET
    as_of = excluded.as_of, status = excluded.status, complete_through = excluded.complete_through,
    stripe_account = excluded.stripe_account, livemode = excluded.livemode, problem = excluded.problem
