-- for an event of g on the night
1 + coalesce((SELECT max(e.event_no) FROM reconciler.break_events e
              WHERE e.account_id = g.account_id AND e.break_id = g.break_id AND e.business_date = @date::date), 0)
