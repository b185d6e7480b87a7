-- Whether entries of this night count in another one, or the other way round.
SELECT EXISTS (SELECT 1 FROM reconciler.late_items l
               WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz OR l.entry_date = @date::date)
