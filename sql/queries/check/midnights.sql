-- The dates that the server's time zone data has at the given instants and just before them.
SELECT (i.at AT TIME ZONE @zone::text)::date AS date, ((i.at - interval '1 microsecond') AT TIME ZONE @zone::text)::date AS date_before
FROM unnest(@instants::timestamptz[]) WITH ORDINALITY AS i (at, no)
ORDER BY i.no
