WITH positions AS (DELETE FROM reconciler.account_positions WHERE business_date = @date::date),
steps AS (DELETE FROM reconciler.liability_steps WHERE business_date = @date::date),
lots AS (DELETE FROM reconciler.refunded_lots WHERE business_date = @date::date),
rolled AS (DELETE FROM reconciler.roll_forward WHERE business_date = @date::date)
SELECT 1 AS cleared
