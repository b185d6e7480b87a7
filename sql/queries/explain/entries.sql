-- Entries that name neither a job nor a purchase: the others are told with what they name.
SELECT e.created_at AS at, 'platform.credit_entries ' || e.id AS source, '' AS clause,
       CASE WHEN e.credits < 0 THEN 'ledger: ' || -e.credits::numeric || ' credits taken from account '
           ELSE 'ledger: ' || coalesce(e.credits::text, '?') || ' credits given to account ' END
       || coalesce(e.account_id, '?') || ' (' || coalesce(e.kind, '?') || ')' || coalesce(': ' || e.memo, '') AS says
FROM source.credit_entries e WHERE e.id = ANY (@ids::text[])
UNION ALL
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = x.business_date), 'rejects.csv of ' || x.business_date, '',
       'left out: ' || x.field || ' ' || x.problem
FROM reconciler.rejects x WHERE x.relation = 'credit_entries' AND x.row_id = ANY (@ids::text[])
