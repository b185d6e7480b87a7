-- How many requests request_matches/find would look at, and whether refund_requests/facts would at any.
SELECT count(*) AS requests,
       count(*) FILTER (WHERE r.status = 'pending' OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz) > 0 AS undecided
FROM source.refund_requests r
WHERE r.requested_at < @as_of::timestamptz
  AND (r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz)
