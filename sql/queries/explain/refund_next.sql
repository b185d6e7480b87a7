-- What the money of requests waits for now, where it waits for something.
SELECT @as_of::timestamptz AS at, 'refund request ' || x.id AS source, '' AS clause, 'its money is not with the customer; ' || x.next AS says
FROM (SELECT r.id, {{ refund_next }} AS next
      FROM source.refund_requests r
      JOIN LATERAL (SELECT d.* FROM reconciler.refund_decisions d WHERE d.request_id = r.id ORDER BY d.business_date DESC LIMIT 1) d ON true
      WHERE r.id = ANY (@ids::text[])) x
WHERE x.next <> ''
