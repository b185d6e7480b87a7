-- Revisions of expected nights that an address has not been told of: none was tried yet, or the last try was refused. A try without an end is
-- left alone, as the message may have arrived.
WITH tried AS (
    SELECT m.subject, count(*) FILTER (WHERE m.event = 'begun') AS begun, count(*) FILTER (WHERE m.event = 'failed') AS failed
    FROM reconciler.morning_messages m
    WHERE m.address_sha256 = @address_sha256::text
    GROUP BY m.subject
)
SELECT p.business_date, p.revision, coalesce(t.failed, 0)::int + 1 AS attempt_no
FROM reconciler.publications p
LEFT JOIN tried t ON t.subject = to_char(p.business_date, 'YYYY-MM-DD') || '/r' || p.revision
WHERE p.published_at > @since::timestamptz
  AND to_char(p.business_date, 'YYYY-MM-DD') IN (SELECT m.subject FROM reconciler.morning_messages m WHERE m.event = 'expected')
  AND coalesce(t.begun, 0) = coalesce(t.failed, 0)
ORDER BY p.business_date, p.revision
