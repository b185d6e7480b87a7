-- Whether the night has been closed before: once a later one has been reported, too, what it has booked stays as it was read.
SELECT EXISTS (SELECT FROM reconciler.roll_forward f WHERE f.business_date = @date::date)
