-- Which try of a message comes next: 0 when the last one was not refused, so that the message has arrived or may have.
SELECT CASE WHEN count(*) FILTER (WHERE m.event = 'begun') > count(*) FILTER (WHERE m.event = 'failed') THEN 0
            ELSE count(*) FILTER (WHERE m.event = 'failed')::int + 1 END
FROM reconciler.morning_messages m
WHERE m.subject = @subject::text AND m.address_sha256 = @address_sha256::text
