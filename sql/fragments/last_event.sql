-- the values that break g has as of the night, and how many events it has of the night itself: they are numbered from 1
(SELECT e.ours, e.theirs, e.variance, e.unit, e.detail, CASE WHEN e.business_date = @date::date THEN e.event_no ELSE 0 END AS events_tonight
 FROM reconciler.break_events e
 WHERE e.account_id = g.account_id AND e.break_id = g.break_id AND e.business_date <= @date::date
 ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1)
