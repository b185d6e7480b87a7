-- Whether there are requests that request_matches/find or refund_requests/facts would look at.
SELECT EXISTS (SELECT FROM source.refund_requests r
               WHERE r.requested_at < @as_of::timestamptz
                 AND (r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz)) AS matching,
       EXISTS (SELECT FROM source.refund_requests r
               WHERE r.requested_at < @as_of::timestamptz
                 AND (r.status = 'pending' OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz)) AS undecided
