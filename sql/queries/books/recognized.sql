-- What moved tonight of subscription charges: summed up where only days went by, one by one where a refund, tax that was not known before or a
-- customer's balance moved. The booking of a purchase is an entry of its own.
SELECT CASE WHEN m.is_single THEN m.account_id ELSE '' END AS account_id, CASE WHEN m.is_single THEN m.subject_id ELSE '' END AS subject_id, m.currency,
       bool_and(m.is_purchase) AS is_purchase, count(*) FILTER (WHERE m.earned <> 0) AS earning, count(*) FILTER (WHERE m.opened <> 0) AS opening,
       sum(m.opened) AS opened, sum(m.settled) AS settled, sum(m.tax) AS tax, sum(m.earned) AS earned, sum(m.given_back) AS given_back
FROM (SELECT x.*, x.settled <> 0 OR x.tax <> 0 OR x.given_back <> 0 AS is_single
      FROM (SELECT n.account_id, n.subject_id, n.currency, n.is_purchase, n.opened_minor - coalesce(w.opened_minor, 0) AS opened,
                   n.settled_minor - coalesce(w.settled_minor, CASE WHEN n.is_purchase THEN n.settled_minor ELSE 0 END) AS settled,
                   n.tax_minor - coalesce(w.tax_minor, CASE WHEN n.settled_minor <> 0 THEN b.tax_minor ELSE 0 END, 0) AS tax,
                   n.earned_minor - coalesce(w.earned_minor, 0) AS earned, n.given_back_minor - coalesce(w.given_back_minor, 0) AS given_back
            FROM reconciler.subscription_positions n
            LEFT JOIN LATERAL (SELECT w.* FROM reconciler.subscription_positions w
                               WHERE w.account_id = n.account_id AND w.subject_id = n.subject_id AND w.business_date >= @begin_date::date AND w.business_date < n.business_date
                               ORDER BY w.business_date DESC LIMIT 1) w ON true
            LEFT JOIN reconciler.booked_purchases b ON n.is_purchase AND b.account_id = n.account_id AND b.purchase_id = n.subject_id
            WHERE n.business_date = @date::date) x) m
GROUP BY m.is_single, 1, 2, 3
HAVING sum(abs(m.opened) + abs(m.settled) + abs(m.tax) + abs(m.earned) + abs(m.given_back)) > 0
ORDER BY 3, 2, 1
