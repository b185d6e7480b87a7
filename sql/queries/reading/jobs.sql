-- The night's jobs, once: what there is of each account, and two fingerprints of the debits that should be there for its finished ones. A
-- fingerprint is the exclusive or of a hash of each (job, credits), with a seed that nobody knew before. Where an account's debits are as many
-- as its jobs ask for and both fingerprints are the same, they are those jobs' debits, each once, but for a chance of 2^-128 an account (random
-- functions assumed): below 2^-100 a night for up to 2^28 accounts. A job that one debit of its cost does not settle asks for a debit that can't be.
-- A job of no cost asks for none. What is added up how, and in which order, is explained in reading/ledger. The union with nothing keeps the rules
-- from being worked out again for every sum, as OFFSET 0 would, with which no node could read its accounts by itself.
INSERT INTO reconciler.account_jobs (account_id, business_date, seen, kept, jobs, cost, id_hash, debits, first, second)
SELECT account_id, @date::date, seen, seen - broken, seen - broken - elsewhere, small_cost + large_cost, id_hash, seen - broken - elsewhere - free, first, second
FROM (
    SELECT account_id, count(*) AS seen,
           coalesce(sum(CASE WHEN credit_cost <= 2147483647 THEN credit_cost::int4 END) FILTER (WHERE finished), 0) AS small_cost,
           coalesce(bit_xor(hashtextextended(id, 0)) FILTER (WHERE finished), 0) AS id_hash,
           coalesce(bit_xor(hashtextextended(id, amount # @first_seed::bigint)) FILTER (WHERE finished), 0) AS first,
           coalesce(bit_xor(hashtextextended(id, amount # @second_seed::bigint)) FILTER (WHERE finished), 0) AS second,
           count(*) FILTER (WHERE finished IS NULL) AS broken,
           count(*) FILTER (WHERE NOT finished) AS elsewhere, -- created in the night, and finished in another one or not at all
           count(*) FILTER (WHERE finished AND amount IS NULL) AS free,
           coalesce(sum(credit_cost) FILTER (WHERE finished AND credit_cost > 2147483647), 0) AS large_cost
    FROM (SELECT j.account_id, j.id, j.credit_cost, CASE WHEN NOT {{ job_is_plain }} THEN 1 WHEN j.credit_cost > 0 THEN -j.credit_cost END AS amount,
                 CASE WHEN {{ job_is_valid }} THEN coalesce(j.finished_at >= @begin::timestamptz AND j.finished_at < @end::timestamptz, false) END AS finished
          FROM source.jobs j
          WHERE {{ job_of_night }}
          UNION ALL SELECT j.account_id, j.id, j.credit_cost, NULL, NULL FROM source.jobs j WHERE false) j
    GROUP BY 1) a
