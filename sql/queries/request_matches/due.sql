-- How many requests request_matches/find would look at, a fingerprint of what they say, and whether refund_requests/facts would look at any.
SELECT count(*) AS requests, coalesce(bit_xor(hashtextextended(ROW (r.id, r.kind, r.account_id, r.account_email, r.purchase_id, r.invoice_id, r.stated_date,
           r.stated_amount_minor, r.stated_currency, r.status, r.requested_at, r.decided_at)::text, 0)), 0) AS fingerprint,
       count(*) FILTER (WHERE r.status = 'pending' OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz) > 0 AS undecided
FROM source.refund_requests r
WHERE r.requested_at < @as_of::timestamptz
  AND (r.status IN ('pending', 'approved') OR r.requested_at >= @begin::timestamptz OR r.decided_at >= @begin::timestamptz)
