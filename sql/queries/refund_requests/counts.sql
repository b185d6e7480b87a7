-- Every request that was undecided when the night began, or arrived in it, must have its row.
SELECT (SELECT count(*) FROM {{ valid_requests }} r
        WHERE r.requested_at < @as_of::timestamptz
          AND (r.requested_at >= @begin::timestamptz OR r.status = 'pending' OR r.decided_at >= @begin::timestamptz)
          AND NOT EXISTS (SELECT FROM reconciler.refund_decisions d
                          WHERE d.request_id = r.id AND d.decision IN ('approve', 'deny') AND d.business_date < @date::date)) AS scanned,
       (SELECT count(*) FROM reconciler.refund_decisions WHERE business_date = @date::date AND decision IN ('approve', 'deny')) AS decided,
       (SELECT count(*) FROM reconciler.refund_decisions WHERE business_date = @date::date AND decision NOT IN ('approve', 'deny')) AS waiting
