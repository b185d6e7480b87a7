-- Accounts that have a booked purchase of the night and no entry of it; without a night before to continue from, any booked purchase.
WITH bought AS MATERIALIZED (
    SELECT DISTINCT b.account_id FROM reconciler.booked_purchases b
    WHERE (b.booked_at >= @begin::timestamptz OR NOT @continues::boolean) AND b.booked_at < @end::timestamptz
), there AS MATERIALIZED (
    SELECT m.account_id FROM bought b JOIN reconciler.account_moves m ON m.account_id = b.account_id AND m.business_date = @date::date
), a AS MATERIALIZED (
    SELECT account_id FROM bought EXCEPT SELECT account_id FROM there
), {{ stood_before }}
INSERT INTO reconciler.account_moves (account_id, business_date, moved, net_before, balance_before)
SELECT s.account_id, @date::date, false, s.net_usage, s.credits FROM stood s
