-- the values that break g has as of the night
(SELECT e.ours, e.theirs, e.variance, e.unit, e.detail FROM reconciler.break_events e
 WHERE e.account_id = g.account_id AND e.break_id = g.break_id AND e.business_date <= @date::date
 ORDER BY e.business_date DESC, e.event_no DESC LIMIT 1)
