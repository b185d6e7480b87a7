-- The exact rules, for the candidates alone: every entry of the job up to the as-of, on whichever account. Looked up subject by subject through the
-- indexes: OFFSET 0 keeps a planner that guesses wrong from reading the whole ledger instead, and nothing is joined back afterwards.
WITH subject AS (
    SELECT {{ subject_id }} AS subject_id, subject_id LIKE 'entry:self:%' AS is_entry, count(*) FILTER (WHERE in_scan) AS jobs, sum(cost) AS night_cost, sum(debits) AS night_debits, count(*) FILTER (WHERE account_id = '') AS carried
    FROM reconciler.candidates
    WHERE business_date = @date::date AND job = @job::text
    GROUP BY 1, 2
    ORDER BY 1 -- neighbours in the indexes one after the other
), fact AS MATERIALIZED (
    SELECT s.*, j.id IS NOT NULL AS known,
           j.id IS NULL AND EXISTS (SELECT FROM source.jobs r WHERE r.id = s.subject_id AND NOT s.is_entry
                                    AND (r.created_at < @as_of::timestamptz) IS NOT FALSE) AS rejected,
           j.account_id, j.status, coalesce(j.failure_code, '') AS failure_code, coalesce(j.credit_cost, 0)::numeric AS cost,
           coalesce(j.finished_at < @as_of::timestamptz, false) AS finished,
           -- Finished tonight and no candidate of its own: the scan has counted it as clean, and something on another account brought it here.
           coalesce(s.jobs = 0 AND j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz, false) AS counted_clean,
           CASE WHEN j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled') THEN coalesce(f.class, 'unknown') END AS class,
           v.version IS NOT NULL AND f.class IS NULL AS unclassified,
           coalesce(l.own_net, 0) AS own_net, coalesce(l.own_debits, 0) AS own_debits, coalesce(l.own_credited, 0) AS own_credited,
           coalesce(l.other_net, 0) AS other_net, coalesce(l.other_credited, 0) AS other_credited,
           coalesce(l.debited_account, '') AS debited_account, coalesce(l.credited_account, '') AS credited_account
    FROM subject s
    LEFT JOIN LATERAL (SELECT * FROM (SELECT * FROM {{ valid_jobs }} j WHERE j.id = s.subject_id AND NOT s.is_entry AND j.created_at < @as_of::timestamptz OFFSET 0) j
                       ORDER BY j.created_at LIMIT 1) j ON true
    {{ job_class }}
    CROSS JOIN LATERAL (
        SELECT sum(a.net) FILTER (WHERE a.own) AS own_net, sum(a.debits) FILTER (WHERE a.own) AS own_debits, sum(a.credited) FILTER (WHERE a.own) AS own_credited,
               sum(a.net) FILTER (WHERE NOT a.own) AS other_net, sum(a.credited) FILTER (WHERE NOT a.own) AS other_credited,
               min(a.account_id COLLATE "C") FILTER (WHERE NOT a.own AND a.net <> 0) AS debited_account,
               min(a.account_id COLLATE "C") FILTER (WHERE NOT a.own AND a.credited <> 0) AS credited_account
        FROM (SELECT e.account_id, e.account_id IS NOT DISTINCT FROM j.account_id AS own,
                     coalesce(-sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment')), 0) AS net,
                     count(*) FILTER (WHERE e.kind = 'usage') AS debits,
                     coalesce(sum(e.credits) FILTER (WHERE e.kind = 'credit_back'), 0) AS credited
              FROM (SELECT e.account_id, e.kind, e.credits
                    FROM {{ entries }} e
                    WHERE e.job_id = s.subject_id AND NOT s.is_entry AND e.effective_at < @as_of::timestamptz AND e.kind IN ('usage', 'adjustment', 'credit_back')
                    UNION ALL
                    -- An entry that names no job stands for itself.
                    SELECT e.account_id, e.kind, e.credits
                    FROM {{ entries }} e
                    WHERE s.is_entry AND e.id = substr(s.subject_id, 7) AND coalesce(e.job_id, '') = ''
                      AND e.effective_at < @as_of::timestamptz AND e.kind IN ('usage', 'credit_back')
                    OFFSET 0) e
              GROUP BY 1, 2) a) l
), verdict AS MATERIALIZED (
    SELECT t.*, CASE WHEN is_entry THEN 'entry.credits' ELSE 'credits' END AS credits_field,
           CASE WHEN rejected THEN NULL
                WHEN NOT known AND other_net <> 0 THEN 'debit_without_job'
                WHEN NOT known THEN NULL
                WHEN other_net <> 0 THEN 'debit_account_mismatch'
                WHEN NOT finished OR own_net = cost THEN NULL
                WHEN own_debits = 0 AND own_net = 0 THEN 'job_without_debit'
                WHEN cost > 0 AND own_net >= 2 * cost AND own_net = own_debits * cost THEN 'duplicate_debit'
                ELSE 'debit_amount_mismatch'
           END AS debit_fault,
           CASE WHEN rejected OR own_credited + other_credited = 0 THEN NULL
                WHEN class = 'unknown' AND other_credited = 0 THEN NULL
                WHEN class IS DISTINCT FROM 'system' OR other_credited <> 0 THEN 'credit_back_unfounded'
                WHEN own_credited > own_net THEN 'credit_back_exceeds_debit'
           END AS credit_fault,
           CASE WHEN class = 'unknown' THEN 'failure_unclassified' END AS class_fault
    FROM fact t
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT x.account_id, @date::date, @job::text, x.kind, v.subject_id, x.field, x.ours, x.theirs, x.variance, 'credits', x.detail
    FROM verdict v
    CROSS JOIN LATERAL (
        SELECT coalesce(v.account_id, v.debited_account) AS account_id, v.debit_fault AS kind,
               CASE v.debit_fault WHEN 'debit_account_mismatch' THEN 'account_id' ELSE v.credits_field END AS field,
               CASE v.debit_fault WHEN 'debit_account_mismatch' THEN v.account_id ELSE v.cost::text END AS ours,
               CASE v.debit_fault WHEN 'debit_account_mismatch' THEN v.debited_account WHEN 'debit_without_job' THEN v.other_net::text ELSE v.own_net::text END AS theirs,
               CASE WHEN v.debit_fault = 'debit_without_job' OR v.debit_fault = 'debit_account_mismatch' AND v.own_net = v.cost THEN -v.other_net
                    ELSE v.cost - v.own_net END AS variance,
               CASE v.debit_fault
                   WHEN 'debit_without_job' THEN 'account ' || v.debited_account || ' was debited ' || v.other_net || ' credits; ' || CASE WHEN v.is_entry THEN 'the entry names no job' ELSE 'there is no such job' END
                   WHEN 'debit_account_mismatch' THEN 'debited to account ' || v.debited_account || ': ' || v.other_net || ' credits; to the account that ran it: ' || v.own_net || ' of ' || v.cost
                   WHEN 'job_without_debit' THEN 'the job ' || v.status || ' and costs ' || v.cost || ' credits; no debit names it'
                   WHEN 'duplicate_debit' THEN v.own_debits || ' debits of ' || v.cost || ' credits each'
                   WHEN 'debit_amount_mismatch' THEN 'costs ' || v.cost || ' credits, net debits are ' || v.own_net || ' in ' || v.own_debits || ' debits'
               END AS detail
        WHERE v.debit_fault IS NOT NULL
        UNION ALL
        SELECT CASE WHEN v.other_credited <> 0 THEN v.credited_account ELSE v.account_id END, v.credit_fault, v.credits_field,
               (CASE v.credit_fault WHEN 'credit_back_exceeds_debit' THEN v.own_net ELSE 0 END)::text,
               (v.own_credited + v.other_credited)::text,
               CASE v.credit_fault WHEN 'credit_back_exceeds_debit' THEN v.own_net ELSE 0 END - v.own_credited - v.other_credited,
               CASE WHEN v.credit_fault = 'credit_back_exceeds_debit' THEN 'net debits ' || v.own_net || ', credited back ' || v.own_credited
                    WHEN v.is_entry THEN 'the entry names no job'
                    WHEN NOT v.known THEN 'there is no such job'
                    WHEN v.other_credited <> 0 THEN 'credited to account ' || v.credited_account || '; account ' || v.account_id || ' ran the job'
                    WHEN NOT v.finished THEN 'the job has not finished'
                    WHEN v.class IS NULL THEN 'the job ' || v.status
                    ELSE 'the job ' || v.status || ' through no fault of ours: ' || coalesce(nullif(v.failure_code, ''), 'no failure code') END
        WHERE v.credit_fault IS NOT NULL
        UNION ALL
        SELECT v.account_id, v.class_fault, 'failure_code', v.failure_code, '', v.own_net - v.own_credited,
               CASE WHEN v.failure_code = '' THEN 'the job ' || v.status || ' without a failure code' ELSE 'no row of the failure table matches ' || v.failure_code END
        WHERE v.class_fault IS NOT NULL
    ) x
), outcome AS (
    SELECT CASE WHEN debit_fault IS NOT NULL OR credit_fault IS NOT NULL OR class_fault IS NOT NULL THEN 'breaks'
                WHEN rejected OR known AND NOT finished THEN 'awaiting'
                ELSE 'matched' END AS outcome,
           jobs, night_cost, night_debits, carried, counted_clean, cost, class = 'unknown' AND unclassified AS unclassified
    FROM verdict
)
SELECT x.outcome, sum(x.jobs)::text AS jobs, sum(x.cost)::text AS cost, sum(x.debits)::text AS debits, sum(x.carried)::text AS carried,
       coalesce(bool_or(x.unclassified), false) AS unclassified
FROM outcome o
CROSS JOIN LATERAL (
    SELECT o.outcome, o.jobs, o.night_cost AS cost, o.night_debits AS debits, o.carried, o.unclassified
    UNION ALL
    SELECT v.outcome, v.jobs, v.jobs * o.cost, v.jobs * o.cost, 0, false
    FROM (VALUES ('matched', -1), ('breaks', 1)) AS v (outcome, jobs)
    WHERE o.counted_clean AND o.outcome = 'breaks') x
GROUP BY 1
ORDER BY 1
