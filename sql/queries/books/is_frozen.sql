-- Whether this night and a later one have been reported: then what this night has booked stays as it was read.
SELECT EXISTS (SELECT FROM reconciler.runs r WHERE r.job = 'reports' AND r.status = 'completed' AND r.business_date > @date::date)
   AND EXISTS (SELECT FROM reconciler.roll_forward f WHERE f.business_date = @date::date)
