-- What was sold in the night, and what Stripe charged in it, each counted by itself.
SELECT x.currency, sum(x.sold) AS purchases, sum(x.sold_minor) AS purchases_minor, sum(x.charged) AS charges, sum(x.charged_minor) AS charges_minor
FROM (SELECT b.currency, count(*) AS sold, sum(b.amount_minor) AS sold_minor, 0 AS charged, 0 AS charged_minor
      FROM reconciler.booked_purchases b
      WHERE b.booked_at >= @begin::timestamptz AND b.booked_at < @as_of::timestamptz AND b.amount_minor <> 0
      GROUP BY b.currency
      UNION ALL
      SELECT c.currency, 0, 0, count(*), sum(c.captured_minor)
      FROM {{ charges_as_of }} c
      WHERE c.created_at >= @begin::timestamptz AND c.status = 'succeeded' AND c.captured_minor > 0
      GROUP BY c.currency) x
GROUP BY x.currency
ORDER BY x.currency COLLATE "C"
