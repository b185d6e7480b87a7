-- Lots with their account's net usage, and how much of it the lots before take. One that was refunded leaves the order.
lot_kind, lot_id, granted, refunded, sum(used) OVER (PARTITION BY account_id) AS net,
coalesce(sum(CASE WHEN lot_kind = 'usage' OR refunded < 0 THEN 0 ELSE granted END) OVER (PARTITION BY account_id ORDER BY granted_at, {{ lots_before }}), 0) AS before
