-- Windows opened tonight must all be there; counted without lots, requests or Stripe.
SELECT (SELECT count(*) FROM {{ valid_purchases }} p
        WHERE p.kind = 'credits' AND p.status = 'completed' AND p.completed_at >= @begin::timestamptz AND p.completed_at < @as_of::timestamptz) AS scanned,
       (SELECT count(*) FROM reconciler.refund_windows w WHERE w.business_date = @date::date AND w.completed_at >= @begin::timestamptz) AS recorded
