-- The night's ledger, once, account by account; see reading/jobs for the fingerprints. Entries that are booked in another night are of that one.
-- debit is null for a row that breaks the contract, and 0 for one that is no debit. Our own credit-backs come after, by reading/own_credit_backs: a
-- night that is read ahead can't have those yet that the night before it posts.
INSERT INTO reconciler.account_ledger (account_id, business_date, seen, kept, credits, taken, usage, credit_backs, id_hash, debits, first, second)
SELECT coalesce(account_id, ''), @date::date, count(*), count(debit), coalesce(sum(credits) FILTER (WHERE debit <= 0), 0),
       coalesce(-sum(credits) FILTER (WHERE debit = 0 AND kind = 'adjustment' AND credits < 0), 0), coalesce(-sum(debit), 0),
       coalesce(sum(credits) FILTER (WHERE debit = 0 AND kind = 'credit_back'), 0), coalesce(bit_xor(hashtextextended(id, 0)) FILTER (WHERE debit <= 0), 0),
       count(*) FILTER (WHERE debit < 0),
       coalesce(bit_xor(hashtextextended(job_id, debit # @first_seed::bigint)) FILTER (WHERE debit < 0), 0),
       coalesce(bit_xor(hashtextextended(job_id, debit # @second_seed::bigint)) FILTER (WHERE debit < 0), 0)
FROM (SELECT e.account_id, e.id, e.kind, e.credits, coalesce(e.job_id, '') AS job_id,
             CASE WHEN {{ entry_is_valid }} THEN CASE WHEN e.kind = 'usage' THEN e.credits ELSE 0 END END AS debit
      FROM source.credit_entries e
      WHERE {{ entry_of_night }} AND NOT {{ entry_is_ours }}
        AND (NOT @some_moved::boolean OR NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.account_id = e.account_id AND l.entry_id = e.id))
      OFFSET 0) e
GROUP BY 1
