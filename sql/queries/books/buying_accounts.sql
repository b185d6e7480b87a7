-- Accounts that have nothing in the night's ledger but a purchase in its books; without a night before to go on from, in all books.
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before)
SELECT a.account_id, @date::date, false, coalesce(p.net_usage, 0) + s.net_usage, coalesce(p.credits, 0) + s.credits
FROM (SELECT DISTINCT b.account_id FROM reconciler.booked_purchases b
      WHERE (b.booked_at >= @begin::timestamptz OR NOT @goes_on::boolean) AND b.booked_at < @end::timestamptz
        AND NOT EXISTS (SELECT FROM reconciler.account_moves m WHERE m.account_id = b.account_id AND m.business_date = @date::date)) a
{{ before_night }}
