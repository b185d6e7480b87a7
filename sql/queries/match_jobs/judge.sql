-- The exact rules, for the candidates alone: every entry of the job up to the as-of, on whichever account. Looked up subject by subject through the
-- indexes: DISTINCT ON and GROUP BY keep a planner that guesses wrong from reading the whole ledger instead. They are by account, so that each node
-- does that for the accounts that it has. FULL JOIN of what is of the same subjects anyway: a planner that expects one makes no loop in a loop of it.
WITH subject AS MATERIALIZED (
    SELECT {{ subject_id }} AS subject_id, subject_id LIKE 'entry:self:%' AS is_entry, count(*) FILTER (WHERE in_scan) AS jobs,
        sum(cost) AS night_cost, sum(debits) AS night_debits, count(*) FILTER (WHERE account_id = '') AS carried
    FROM reconciler.candidates
    WHERE business_date = @date::date AND job = @job::text
    GROUP BY 1, 2
    ORDER BY 1 -- neighbours in the indexes one after the other
), unnamed AS MATERIALIZED (
    SELECT s.subject_id, substr(s.subject_id, 7) AS entry_id FROM subject s WHERE s.is_entry
), corrects AS MATERIALIZED (
    -- Ids of jobs that are just as well the name of an entry without a job.
    SELECT DISTINCT s.subject_id
    FROM (SELECT s.subject_id, substr(s.subject_id, 7) AS entry_id FROM subject s WHERE NOT s.is_entry AND s.subject_id LIKE 'entry:%') s
    CROSS JOIN LATERAL (SELECT x.account_id FROM source.credit_entries x WHERE x.id = s.entry_id AND coalesce(x.job_id, '') = '' GROUP BY x.account_id) x
), named AS MATERIALIZED (
    SELECT s.subject_id, k.subject_id IS NOT NULL AS corrects FROM subject s LEFT JOIN corrects k ON k.subject_id = s.subject_id WHERE NOT s.is_entry
), found_job AS MATERIALIZED (
    SELECT s.subject_id, j.*
    FROM named s
    CROSS JOIN LATERAL (SELECT DISTINCT ON (j.account_id, j.id) j.* FROM {{ valid_jobs }} j WHERE j.id = s.subject_id AND j.created_at < @as_of::timestamptz
                        ORDER BY j.account_id, j.id, j.created_at) j
), job AS MATERIALIZED (
    SELECT DISTINCT ON (subject_id) false AS is_entry, f.* FROM found_job f ORDER BY subject_id, created_at
), {{ arrived_later }},
rejected AS MATERIALIZED (
    SELECT DISTINCT m.subject_id, false AS is_entry
    FROM (SELECT subject_id FROM named EXCEPT SELECT subject_id FROM job) m
    CROSS JOIN LATERAL (SELECT r.account_id FROM source.jobs r WHERE r.id = m.subject_id AND (r.created_at < @as_of::timestamptz) IS NOT FALSE GROUP BY r.account_id) r
), booked AS MATERIALIZED (
    SELECT b.subject_id, b.is_entry, b.account_id, sum(b.entries) AS entries, sum(b.net) AS net, sum(b.debits) AS debits, sum(b.credited) AS credited,
           -- The ledger takes no negative credit-back: what reverses one is a negative adjustment.
           least(sum(b.credited), sum(b.taken)) AS reversed
    FROM (SELECT s.subject_id, false AS is_entry, e.*
          FROM named s
          CROSS JOIN LATERAL (SELECT {{ booked_of_job }}
                              FROM {{ entries }} e
                              WHERE e.job_id = s.subject_id AND e.effective_at < @as_of::timestamptz AND e.kind IN ('usage', 'adjustment', 'credit_back')
                                AND NOT (e.kind = 'adjustment' AND s.corrects)
                              GROUP BY e.account_id) e
          UNION ALL
          -- An entry that names no job stands for itself, and an adjustment that names it, as entry:ID, corrects it.
          SELECT s.subject_id, true, e.*
          FROM unnamed s
          CROSS JOIN LATERAL (SELECT {{ booked_of_job }}
                              FROM {{ entries }} e
                              WHERE e.id = s.entry_id AND coalesce(e.job_id, '') = '' AND e.effective_at < @as_of::timestamptz AND e.kind IN ('usage', 'credit_back')
                              GROUP BY e.account_id) e
          UNION ALL
          SELECT s.subject_id, true, e.*
          FROM unnamed s
          CROSS JOIN LATERAL (SELECT {{ booked_of_job }}
                              FROM {{ entries }} e
                              WHERE e.job_id = s.subject_id AND e.effective_at < @as_of::timestamptz AND e.kind = 'adjustment'
                              GROUP BY e.account_id) e) b
    GROUP BY 1, 2, 3
), ledger AS MATERIALIZED (
    SELECT b.subject_id, b.is_entry,
           coalesce(sum(b.net) FILTER (WHERE b.own), 0) AS own_net, coalesce(sum(b.debits) FILTER (WHERE b.own), 0) AS own_debits,
           coalesce(sum(b.credited) FILTER (WHERE b.own), 0) AS own_credited, coalesce(sum(b.entries) FILTER (WHERE b.own), 0) AS own_entries,
           -- What another account was debited by mistake and has been credited back is settled; what is left of either is at fault.
           coalesce(sum(b.net - b.credited) FILTER (WHERE NOT b.own AND NOT b.is_credit), 0) AS other_net,
           coalesce(sum(b.credited - b.net) FILTER (WHERE NOT b.own AND b.is_credit), 0) AS other_credited,
           min(b.account_id COLLATE "C") FILTER (WHERE NOT b.own AND NOT b.is_credit AND b.net <> b.credited) AS debited_account,
           min(b.account_id COLLATE "C") FILTER (WHERE NOT b.own AND b.is_credit) AS credited_account
    FROM (SELECT a.subject_id, a.is_entry, a.account_id, a.account_id IS NOT DISTINCT FROM j.account_id AS own, a.debits, a.entries,
                 a.net - a.reversed AS net, a.credited - a.reversed AS credited, a.credited > a.reversed AND a.credited > a.net AS is_credit
          FROM booked a
          FULL JOIN job j ON j.subject_id = a.subject_id AND j.is_entry = a.is_entry) b
    WHERE b.subject_id IS NOT NULL
    GROUP BY 1, 2
), fact AS MATERIALIZED (
    SELECT s.*, j.id IS NOT NULL AS known, r.subject_id IS NOT NULL AS rejected,
           j.account_id, j.status, coalesce(j.failure_code, '') AS failure_code, coalesce(j.credit_cost, 0)::numeric AS cost,
           coalesce(j.finished_at < @as_of::timestamptz, false) AS finished,
           -- Finished tonight and no candidate of its own: the scan has counted it as clean, and something on another account brought it here.
           coalesce(s.jobs = 0 AND j.finished_at >= @begin::timestamptz AND j.finished_at < @as_of::timestamptz, false) AS counted_clean,
           CASE WHEN j.finished_at < @as_of::timestamptz AND j.status IN ('failed', 'interrupted', 'canceled') THEN coalesce(f.class, 'unknown') END AS class,
           v.version IS NOT NULL AND f.class IS NULL AS unclassified,
           coalesce(l.own_debits, 0) AS own_debits, coalesce(l.own_net, 0) AS own_net, coalesce(l.own_credited, 0) AS own_credited,
           coalesce(l.own_entries, 0) > 0 AS own_touched, coalesce(l.other_net, 0) AS other_net, coalesce(l.other_credited, 0) AS other_credited,
           coalesce(l.debited_account, '') AS debited_account, coalesce(l.credited_account, '') AS credited_account
    FROM subject s
    FULL JOIN job j ON j.subject_id = s.subject_id AND j.is_entry = s.is_entry
    FULL JOIN rejected r ON r.subject_id = s.subject_id AND r.is_entry = s.is_entry
    FULL JOIN ledger l ON l.subject_id = s.subject_id AND l.is_entry = s.is_entry
    {{ job_class }}
), due AS (
    SELECT t.*,
           -- Of a job that was debited too much, what a credit-back may have given back without any fault of ours.
           CASE WHEN finished AND own_net > cost THEN own_net - cost ELSE 0 END AS surplus,
           rejected OR NOT is_entry AND subject_id IN (SELECT u.subject_id FROM arrived_later u) AS is_left
    FROM fact t
), verdict AS MATERIALIZED (
    SELECT t.*, CASE WHEN is_entry THEN 'entry.credits' ELSE 'credits' END AS credits_field, own_net - least(surplus, own_credited) AS own_left,
           CASE WHEN is_left THEN NULL
                WHEN NOT known AND other_net <> 0 THEN 'debit_without_job'
                WHEN NOT known THEN NULL
                -- Lacks what another account was debited; a surplus of its own is another fault.
                WHEN other_net <> 0 AND own_net <= cost OR NOT finished OR own_net = cost THEN NULL
                -- Whatever was debited for a failure of ours is credited back in full, tonight if not before: there is nothing to repair.
                WHEN class IN ('system', 'unknown') AND own_touched AND (own_net >= 0 OR own_credited > 0) AND (class = 'system' OR own_credited >= own_net) THEN NULL
                WHEN own_credited > 0 AND surplus > 0 AND own_credited >= surplus THEN NULL
                WHEN own_debits = 0 AND own_net = 0 THEN 'job_without_debit'
                WHEN cost > 0 AND own_net >= 2 * cost AND own_net = own_debits * cost THEN 'duplicate_debit'
                ELSE 'debit_amount_mismatch'
           END AS debit_fault,
           NOT is_left AND class IN ('system', 'unknown') AND own_credited > 0 AND own_credited > own_net AS exceeds,
           CASE WHEN class IN ('system', 'unknown') OR own_credited <= surplus THEN 0 ELSE own_credited END AS own_unfounded,
           known AND NOT is_left AND other_net <> 0 AS is_elsewhere,
           NOT is_left AND (other_credited <> 0 OR (class IN ('system', 'unknown')) IS NOT TRUE AND own_credited > surplus) AS is_unfounded,
           CASE WHEN class = 'unknown' THEN 'failure_unclassified' END AS class_fault
    FROM due t
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT x.account_id, @date::date, @job::text, x.kind, v.subject_id, x.field, x.ours, x.theirs, x.variance, 'credits', x.detail
    FROM (SELECT * FROM verdict v WHERE v.debit_fault IS NOT NULL OR v.is_elsewhere OR v.is_unfounded OR v.exceeds OR v.class_fault IS NOT NULL) v
    CROSS JOIN LATERAL (
        SELECT coalesce(v.account_id, v.debited_account) AS account_id, v.debit_fault AS kind, v.credits_field AS field, v.cost::text AS ours,
               CASE WHEN v.debit_fault = 'debit_without_job' THEN v.other_net::text ELSE v.own_left::text END AS theirs,
               CASE WHEN v.debit_fault = 'debit_without_job' THEN -v.other_net ELSE v.cost - v.own_left END AS variance,
               CASE
                   WHEN v.debit_fault = 'debit_without_job' THEN 'account ' || v.debited_account || ' was debited ' || v.other_net || ' credits; ' || CASE WHEN v.is_entry THEN 'the entry names no job' ELSE 'there is no such job' END
                   WHEN v.debit_fault = 'job_without_debit' THEN 'the job ' || v.status || ' and costs ' || v.cost || ' credits; no debit names it'
                   WHEN v.debit_fault = 'duplicate_debit' THEN v.own_debits || ' debits of ' || v.cost || ' credits each'
                   WHEN v.debit_fault = 'debit_amount_mismatch' THEN 'costs ' || v.cost || ' credits, net debits are ' || v.own_net || ' in ' || CASE WHEN v.own_debits = 1 THEN '1 debit' ELSE v.own_debits || ' debits' END
               END || CASE WHEN v.own_left <> v.own_net THEN '; credited back: ' || v.own_credited ELSE '' END AS detail
        WHERE v.debit_fault IS NOT NULL
        UNION ALL
        SELECT v.account_id, 'debit_account_mismatch', 'account_id', v.account_id, v.debited_account,
               CASE WHEN v.own_net < v.cost THEN v.cost - v.own_net ELSE -v.other_net END,
               'debited to account ' || v.debited_account || ': ' || v.other_net || ' credits; to the account that ran it: ' || v.own_net || ' of ' || v.cost || ' credits'
        WHERE v.is_elsewhere
        UNION ALL
        SELECT CASE WHEN v.other_credited <> 0 THEN v.credited_account ELSE v.account_id END, 'credit_back_unfounded', v.credits_field,
               CASE WHEN v.own_unfounded > 0 THEN v.surplus ELSE 0 END::text, (v.own_unfounded + v.other_credited)::text,
               CASE WHEN v.own_unfounded > 0 THEN v.surplus ELSE 0 END - v.own_unfounded - v.other_credited,
               CASE WHEN v.is_entry THEN 'the entry names no job'
                    WHEN NOT v.known THEN 'there is no such job'
                    WHEN v.other_credited <> 0 THEN 'credited to account ' || v.credited_account || '; account ' || v.account_id || ' ran the job'
                    WHEN NOT v.finished THEN 'the job has not finished'
                    ELSE CASE WHEN v.class IS NULL THEN 'the job ' || v.status
                              ELSE 'the job ' || v.status || ' through no fault of ours: ' || coalesce(nullif(v.failure_code, ''), 'no failure code') END
                         || CASE WHEN v.surplus > 0 THEN '; it was debited ' || v.surplus || ' credits too much' ELSE '' END END
        WHERE v.is_unfounded
        UNION ALL
        SELECT v.account_id, 'credit_back_exceeds_debit', v.credits_field, v.own_net::text, v.own_credited::text, v.own_net - v.own_credited,
               'net debits ' || v.own_net || ' credits, credited back ' || v.own_credited || ' credits'
        WHERE v.exceeds
        UNION ALL
        SELECT v.account_id, v.class_fault, 'failure_code', v.failure_code, '', v.own_net - v.own_credited,
               CASE WHEN v.failure_code = '' THEN 'the job ' || v.status || ' without a failure code' ELSE 'no row of the failure table matches ' || v.failure_code END
        WHERE v.class_fault IS NOT NULL
    ) x
), outcome AS (
    SELECT CASE WHEN debit_fault IS NOT NULL OR is_elsewhere OR is_unfounded OR exceeds OR class_fault IS NOT NULL THEN 'breaks'
                WHEN rejected OR known AND NOT finished THEN 'awaiting'
                ELSE 'matched' END AS outcome,
           jobs, night_cost, night_debits, carried, counted_clean, cost, class = 'unknown' AND unclassified AS unclassified
    FROM verdict
)
SELECT x.outcome, sum(x.jobs)::text AS jobs, sum(x.cost)::text AS cost, sum(x.debits)::text AS debits, sum(x.carried)::text AS carried,
       coalesce(bool_or(x.unclassified), false) AS unclassified
FROM (SELECT outcome, counted_clean AND outcome = 'breaks' AS moves, count(*) AS subjects, sum(jobs) AS jobs, sum(night_cost) AS night_cost,
             sum(night_debits) AS night_debits, sum(carried) AS carried, sum(cost) AS cost, bool_or(unclassified) AS unclassified
      FROM outcome GROUP BY 1, 2) o
CROSS JOIN LATERAL (
    SELECT o.outcome, o.jobs, o.night_cost AS cost, o.night_debits AS debits, o.carried, o.unclassified
    UNION ALL
    SELECT v.outcome, v.jobs * o.subjects, v.jobs * o.cost, v.jobs * o.cost, 0, false
    FROM (VALUES ('matched', -1), ('breaks', 1)) AS v (outcome, jobs)
    WHERE o.moves) x
GROUP BY 1
ORDER BY 1
