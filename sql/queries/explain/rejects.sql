-- Rows that nights have left out, and why; what is left out every night is told once. Entries are told with the job or purchase that they name.
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = x.first) AS at, 'rejects.csv of ' || x.first AS source, '' AS clause,
       x.row_id || ' is left out: ' || x.field || ' ' || x.problem || CASE WHEN x.last > x.first THEN ', up to the night of ' || x.last ELSE '' END AS says
FROM (SELECT x.row_id, x.field, x.problem, min(x.business_date) AS first, max(x.business_date) AS last
      FROM (SELECT relation, id FROM unnest(@relations::text[], @ids::text[]) AS named (relation, id)
            UNION SELECT 'credit_entries', e.id FROM source.credit_entries e WHERE e.job_id = ANY (@ids::text[])
            UNION SELECT 'credit_entries', e.id FROM source.credit_entries e WHERE e.purchase_id = ANY (@ids::text[])) named
      JOIN reconciler.rejects x ON x.relation = named.relation AND x.row_id = named.id
      GROUP BY x.relation, x.row_id, x.field, x.problem) x
