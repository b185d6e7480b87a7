WITH decided AS MATERIALIZED (
    SELECT c.*
    FROM (SELECT j.account_id, j.id FROM source.jobs j WHERE j.id = ANY (@ids::text[])
          UNION SELECT e.account_id, e.job_id FROM source.credit_entries e WHERE e.job_id = ANY (@ids::text[])) o
    JOIN reconciler.credit_backs c ON c.account_id = o.account_id AND c.job_id = o.id
)
SELECT j.created_at AS at, 'platform.jobs ' || j.id AS source, '' AS clause,
       'job ' || j.id || ' (' || coalesce(j.kind, '?') || ', model ' || coalesce(j.model, '?') || ') was created by account ' || coalesce(j.account_id, '?')
       || '; it costs ' || coalesce(j.credit_cost::text, '?') || ' credits' AS says
FROM source.jobs j WHERE j.id = ANY (@ids::text[])
UNION ALL
SELECT j.finished_at, 'platform.jobs ' || j.id, '', 'job ' || j.id || ' ' || coalesce(j.status, 'ended') || coalesce(' with failure code ' || j.failure_code, '')
FROM source.jobs j WHERE j.id = ANY (@ids::text[]) AND j.finished_at IS NOT NULL
UNION ALL
SELECT e.created_at, 'platform.credit_entries ' || e.id, '',
       {{ entry_says }}
FROM source.credit_entries e WHERE e.job_id = ANY (@ids::text[])
UNION ALL
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = c.business_date), 'credit_backs.csv of ' || c.business_date, c.clause,
       CASE c.decision WHEN 'credited' THEN 'decided: ' || c.credit_back || ' credits are credited back (entry ' || c.entry_id || ')'
                       WHEN 'pending' THEN 'decided: nothing yet' ELSE 'decided: nothing is credited back' END
       || '; class ' || c.class || CASE WHEN c.rule <> '' THEN ' by rule ' || c.rule ELSE '' END || ', policy ' || c.policy_version
       || '; ' || c.debited || ' debited, ' || c.credited_before || ' credited before; ' || c.reason
FROM decided c
