-- The night's ledger, once, account by account; see reading/jobs for the fingerprints. Entries that are booked in another night are of that one.
-- debit is null for a row that breaks the contract, and 0 for one that is no debit.
-- What it costs is the memory that each row touches of its account: so what nearly every row adds to comes first and is little, and what is few is
-- counted, and taken off. Debits are added up as int4, whose sum the server keeps within the group, and only those that are too large for it as
-- bigint.
INSERT INTO reconciler.account_ledger (account_id, business_date, seen, kept, credits, taken, usage, credit_backs, id_hash, debits, first, second)
SELECT account_id, @date::date, seen, seen - broken, others - small_usage - large_usage, taken, small_usage + large_usage, credit_backs, id_hash,
       seen - broken - no_debits, first, second
FROM (
    SELECT account_id, count(*) AS seen,
           coalesce(-sum(CASE WHEN debit >= -2147483648 THEN debit::int4 END), 0) AS small_usage,
           coalesce(bit_xor(hashtextextended(id, 0)) FILTER (WHERE debit IS NOT NULL), 0) AS id_hash,
           coalesce(bit_xor(hashtextextended(job_id, debit # @first_seed::bigint)) FILTER (WHERE debit < 0), 0) AS first,
           coalesce(bit_xor(hashtextextended(job_id, debit # @second_seed::bigint)) FILTER (WHERE debit < 0), 0) AS second,
           count(*) FILTER (WHERE debit IS NULL) AS broken,
           count(*) FILTER (WHERE debit = 0) AS no_debits,
           coalesce(sum(credits) FILTER (WHERE debit = 0 AND credits <> 0), 0) AS others,
           coalesce(-sum(credits) FILTER (WHERE debit = 0 AND kind = 'adjustment' AND credits < 0), 0) AS taken,
           coalesce(-sum(debit) FILTER (WHERE debit < -2147483648), 0) AS large_usage,
           coalesce(sum(credits) FILTER (WHERE debit = 0 AND kind = 'credit_back'), 0) AS credit_backs
    FROM (SELECT e.account_id, e.id, e.kind, e.credits, coalesce(e.job_id, '') AS job_id,
                 CASE WHEN {{ entry_is_valid }} THEN CASE WHEN e.kind = 'usage' THEN e.credits ELSE 0 END END AS debit
          FROM source.credit_entries e
          WHERE {{ entry_of_night }}
            AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))
          UNION ALL SELECT e.account_id, e.id, e.kind, e.credits, '', NULL FROM source.credit_entries e WHERE false) e
    GROUP BY 1) a
