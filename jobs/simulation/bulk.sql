-- name: function
-- What row number n of a night is, from a hash of it and the seed: the same on every server.
-- The parameters of all statements: $1 night as YYYYMMDD, $2 begin, $3 end, $4 jobs, $5 accounts, $6 seed, $7 failures a million, $8 faults a
-- million.
CREATE OR REPLACE FUNCTION pg_temp.bulk_row(night text, begin_at timestamptz, end_at timestamptz, jobs bigint, accounts bigint, seed bigint, failures bigint, faults bigint, n bigint)
RETURNS TABLE (id text, account_id text, kind text, model text, status text, failure_code text, credit_cost bigint, created_at timestamptz, finished_at timestamptz, fault text)
LANGUAGE sql IMMUTABLE AS $body$
    SELECT 'job_' || night || '_' || lpad(n::text, 9, '0'),
           'acc_' || lpad((h1 % accounts)::text, 9, '0'),
           CASE WHEN h1 % 100 < 80 THEN 'image' WHEN h1 % 100 < 95 THEN 'video' ELSE 'fine_tune' END,
           CASE h2 % 3 WHEN 0 THEN 'Flux.1-dev' WHEN 1 THEN 'Qwen Image' ELSE 'Wan2.2' END,
           CASE WHEN failed THEN 'failed' ELSE 'succeeded' END,
           CASE WHEN failed THEN CASE h1 % 5 WHEN 0 THEN 'NODE_FAIL' WHEN 1 THEN 'OOMKilled' WHEN 2 THEN 'GPU_XID_79' WHEN 3 THEN 'invalid_dataset' ELSE 'PROMPT_REJECTED' END END,
           4 + h2 % 200,
           begin_at + (end_at - begin_at) * ((n - 1)::float8 / jobs) * 0.999,
           begin_at + (end_at - begin_at) * ((n - 1)::float8 / jobs) * 0.999 + interval '1 millisecond' * (h1 % 40000),
           CASE WHEN failed OR h2 / 1000003 % 1000000 >= faults THEN ''
                ELSE CASE h1 % 4 WHEN 0 THEN 'job_without_debit' WHEN 1 THEN 'debit_amount_mismatch' WHEN 2 THEN 'duplicate_debit' ELSE 'debit_account_mismatch' END END
    FROM (SELECT h1, h2, h1 / 1000003 % 1000000 < failures AS failed
          FROM (SELECT hashint8extended(n, seed) & 9223372036854775807 AS h1, hashint8extended(-n, seed) & 9223372036854775807 AS h2) h) r
$body$;

-- name: jobs
INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
SELECT r.id, r.account_id, r.kind, r.model, r.status, r.failure_code, r.credit_cost, r.created_at, r.finished_at
FROM generate_series(1, $4::bigint) n
CROSS JOIN LATERAL pg_temp.bulk_row($1::text, $2::timestamptz, $3::timestamptz, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, n) r;

-- name: entries
INSERT INTO platform.credit_entries (id, account_id, kind, credits, job_id, idempotency_key, created_at)
SELECT 'ent_' || substr(r.id, 5) || copy, CASE r.fault WHEN 'debit_account_mismatch' THEN 'acc_other' ELSE r.account_id END, 'usage',
       -r.credit_cost - CASE r.fault WHEN 'debit_amount_mismatch' THEN 1 ELSE 0 END, r.id, 'debit:' || r.id || copy, r.finished_at
FROM generate_series(1, $4::bigint) n
CROSS JOIN LATERAL pg_temp.bulk_row($1::text, $2::timestamptz, $3::timestamptz, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, n) r
CROSS JOIN LATERAL (SELECT '' AS copy WHERE r.fault <> 'job_without_debit' UNION ALL SELECT ':2' WHERE r.fault = 'duplicate_debit') c;

-- name: faults
SELECT r.fault, count(*)
FROM generate_series(1, $4::bigint) n
CROSS JOIN LATERAL pg_temp.bulk_row($1::text, $2::timestamptz, $3::timestamptz, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, n) r
WHERE r.fault <> ''
GROUP BY 1;

-- name: accounts
-- $1 accounts, $2 created at
INSERT INTO platform.accounts (id, email, status, created_at)
SELECT 'acc_' || lpad(n::text, 9, '0'), 'customer' || n || '@example.com', 'active', $2::timestamptz FROM generate_series(0, $1::bigint - 1) n
UNION ALL
SELECT 'acc_other', 'other@example.com', 'active', $2::timestamptz;

-- name: purchases
INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_payment_intent_id, stripe_charge_id, created_at, completed_at)
SELECT 'pur_' || substr(id, 5), id, 'credits', 1000000000, 100000000, 'usd', 'completed', 'pi_' || substr(id, 5), 'ch_' || substr(id, 5), $2::timestamptz, $2::timestamptz
FROM platform.accounts WHERE created_at = $2::timestamptz AND $1::bigint > 0;

-- name: grants
INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, idempotency_key, created_at)
SELECT 'ent_' || substr(id, 5), account_id, 'purchase', credits, id, 'grant:' || id, $2::timestamptz
FROM platform.purchases WHERE created_at = $2::timestamptz AND $1::bigint > 0;
