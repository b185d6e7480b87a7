-- Decides about each job that failed or was stopped in the night, and about the candidates, by the core's table of cases. Of the latter only those
-- are worth a row for which something is credited, by us or by others, and those whose class was open so far and isn't any more. A job that an earlier
-- run of this night has credited gets another row only where more is due: a debit may have been written into the night since.
-- credited_ever is noted where it made the entry's key: what later nights credit must not show in a rerun of this one.
-- A credit-back on record that is gone from the ledger is not credited again under its key: the control totals tell.
WITH version AS MATERIALIZED (SELECT * FROM reconciler.policy_versions v WHERE v.policy = @policy::text),
failure AS MATERIALIZED (SELECT * FROM reconciler.failure_classes f WHERE f.policy = @policy::text),
settled AS MATERIALIZED (
    SELECT c.account_id, c.job_id, c.credited_ever FROM reconciler.credit_backs c WHERE c.business_date = @date::date AND c.decision = 'credited'
),
undecided AS MATERIALIZED (
    SELECT c.account_id, c.job_id FROM reconciler.credit_backs c
    WHERE c.decision = 'pending' AND c.business_date < @date::date
      AND NOT EXISTS (SELECT FROM reconciler.credit_backs d
                      WHERE d.account_id = c.account_id AND d.job_id = c.job_id AND d.business_date > c.business_date
                        AND d.business_date < @date::date AND d.decision <> 'pending')
),
decided AS MATERIALIZED (SELECT j.account_id, j.id FROM {{ jobs_decided }} j),
booked AS MATERIALIZED (
    -- What names the job, on its own account and on others: looked up once, on all nodes.
    SELECT d.account_id, d.id AS job_id,
           least(coalesce(sum(e.debited) FILTER (WHERE e.account_id = d.account_id), 0), 9223372036854775807)::bigint AS debited,
           least(coalesce(sum(e.credited_before) FILTER (WHERE e.account_id = d.account_id), 0), 9223372036854775807)::bigint AS credited_before,
           least(coalesce(sum(e.credited_ever) FILTER (WHERE e.account_id = d.account_id), 0), 9223372036854775807)::bigint AS credited_ever,
           least(greatest(coalesce(sum(e.debited) FILTER (WHERE e.account_id <> d.account_id), 0), 0), 9223372036854775807)::bigint AS debited_elsewhere,
           coalesce(sum(e.credited_by_others), 0) AS credited_by_others
    FROM decided d
    CROSS JOIN LATERAL (
        SELECT e.account_id, -sum(e.credits) FILTER (WHERE e.kind IN ('usage', 'adjustment') AND e.effective_at < @as_of::timestamptz) AS debited,
               sum(e.credits) FILTER (WHERE e.kind = 'credit_back' AND e.effective_at < @as_of::timestamptz) AS credited_before,
               sum(e.credits) FILTER (WHERE e.kind = 'credit_back') AS credited_ever,
               sum(e.credits) FILTER (WHERE e.by_others AND e.effective_at >= @begin::timestamptz AND e.effective_at < @as_of::timestamptz) AS credited_by_others
        FROM (SELECT e.*, {{ credited_by_others }} AS by_others FROM {{ entries }} e WHERE e.job_id = d.id) e
        GROUP BY e.account_id) e
    GROUP BY 1, 2
)
INSERT INTO reconciler.credit_backs (account_id, job_id, business_date, kind, status, failure_code, class, rule, policy_version, finished_at,
                                     debited, credited_before, credited_ever, credit_back, decision, clause, reason, entry_id, booked_at)
SELECT d.account_id, d.job_id, @date::date, d.kind, d.status, d.failure_code, d.class, d.rule, d.version, coalesce(d.finished_at, 'infinity'),
       d.debited, d.credited_before, CASE WHEN d.credit_back > 0 THEN d.credited_ever ELSE d.credited_before END, d.credit_back, d.outcome, d.clause,
       d.before || CASE WHEN d.failure THEN d.reason ELSE '' END || d.then
       || CASE WHEN d.amount = 1 THEN '1 credit' WHEN d.amount IS NOT NULL THEN d.amount || ' credits' ELSE '' END || d.after
       || CASE WHEN d.credited_by_others <> 0 THEN '; credited back that night by others than this worker: ' || d.credited_by_others || ' credits' ELSE '' END,
       -- Named after the job and what it had been credited before, so that the same credit-back has the same name whoever tries it, and whenever.
       CASE WHEN d.credit_back > 0 THEN 'cb_' || left(md5(convert_to(d.job_id || '|' || d.credited_ever, 'UTF8')), 24) ELSE '' END,
       CASE WHEN d.credit_back > 0 THEN @booked_at::timestamptz END
FROM (SELECT f.*, k.outcome, k.clause, k.before, k.failure, k."then", k.after,
             CASE WHEN k.amount = 'debited' THEN f.debited WHEN k.amount = 'credited_before' THEN f.credited_ever WHEN k.amount = 'debited_elsewhere' THEN f.debited_elsewhere END AS amount,
             CASE WHEN k.outcome = 'credited' THEN f.debited - f.credited_ever ELSE 0 END AS credit_back
      FROM (SELECT j.account_id, j.id AS job_id, j.kind, CASE WHEN j.finished_at >= @as_of::timestamptz THEN 'running' ELSE j.status END AS status,
                   coalesce(j.failure_code, '') AS failure_code, CASE WHEN j.finished_at < @as_of::timestamptz THEN j.finished_at END AS finished_at, j.in_scan,
                   coalesce(v.version, '') AS version, coalesce(CASE WHEN j.finished_at < @as_of::timestamptz THEN f.class END, 'unknown') AS class,
                   coalesce(f.rule, '') AS rule, coalesce(f.reason, '') AS reason,
                   coalesce(b.debited, 0) AS debited, coalesce(b.credited_before, 0) AS credited_before, coalesce(b.credited_ever, 0) AS credited_ever,
                   coalesce(b.debited_elsewhere, 0) AS debited_elsewhere, coalesce(b.credited_by_others, 0) AS credited_by_others
            FROM {{ jobs_decided }} j
            LEFT JOIN booked b ON b.account_id = j.account_id AND b.job_id = j.id
            -- As in job_class.
            LEFT JOIN version v ON j.finished_at >= v.effective_from AND j.finished_at < v.effective_to
            LEFT JOIN failure f ON f.version = v.version AND f.status = j.status AND f.failure_code = coalesce(j.failure_code, '')
            WHERE j.finished_at < @as_of::timestamptz OR j.in_scan AND j.created_at < @as_of::timestamptz
            ) f
      LEFT JOIN json_to_recordset(@cases::json) AS k (statuses text[], class text, debited boolean, debited_elsewhere boolean, credited text,
                                                      outcome text, clause text, before text, failure boolean, "then" text, amount text, after text)
             ON f.status = ANY (k.statuses) AND k.class IN ('', f.class)
            AND (k.debited = (f.debited > 0)) IS NOT FALSE AND (k.debited_elsewhere = (f.debited_elsewhere > 0)) IS NOT FALSE
            AND k.credited IN ('', CASE WHEN f.credited_ever = 0 THEN 'nothing' WHEN f.credited_ever < f.debited THEN 'part' ELSE 'all' END)) d
-- IN and NOT IN: sets that are made once, whatever the planner thinks of a table that is empty yet.
WHERE CASE WHEN d.credit_back > 0 THEN (d.account_id, d.job_id, d.credited_ever) NOT IN (SELECT s.account_id, s.job_id, s.credited_ever FROM settled s)
           ELSE (d.in_scan OR d.outcome <> 'pending' AND (d.account_id, d.job_id) IN (SELECT u.account_id, u.job_id FROM undecided u))
                AND (d.account_id, d.job_id) NOT IN (SELECT s.account_id, s.job_id FROM settled s) END
