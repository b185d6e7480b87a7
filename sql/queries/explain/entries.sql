-- Entries that name neither a job nor a purchase: the others are told with what they name.
SELECT e.created_at AS at, 'platform.credit_entries ' || e.id AS source, '' AS clause,
       {{ entry_says }} AS says
FROM source.credit_entries e WHERE e.id = ANY (@ids::text[])
