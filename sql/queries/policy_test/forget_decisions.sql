-- In a rehearsal only: the night decides again, as if neither it nor a later one had.
DELETE FROM reconciler.refund_decisions WHERE business_date >= @date::date
