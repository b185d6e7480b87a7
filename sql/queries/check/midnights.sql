-- Where the server's zone database has the beginnings of business dates; null for a zone that it doesn't know.
SELECT extract(epoch FROM d.local AT TIME ZONE z.name)::bigint AS instant
FROM unnest(@dates::timestamp[]) WITH ORDINALITY AS d (local, no)
LEFT JOIN pg_timezone_names z ON z.name = @zone::text
ORDER BY d.no
