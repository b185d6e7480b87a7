-- whether break b, which w (break_work_now) says who works on, is one that a filter asks for (jobs.BreakFilter); what is empty doesn't filter.
-- Those of which it was ever said are found first, in one go, so that w is looked up of no others: what was said last decides.
(@kind::text = '' OR b.kind = @kind::text)
AND (@severity::text = '' OR b.severity = @severity::text)
AND (@account::text = '' OR b.account_id = @account::text)
AND (@subject::text = '' OR b.subject_id = @subject::text)
AND coalesce(b.closed_on, @today::date) - b.opened_on >= @min_age::int
AND (@owner::text = '' OR b.break_id IN (SELECT d.break_id FROM reconciler.break_work d WHERE d.owner = @owner::text))
AND (@state::text IN ('', 'open') OR b.break_id IN (SELECT d.break_id FROM reconciler.break_work d WHERE d.state = @state::text))
AND (@due::text = '' AND NOT @overdue::boolean OR b.break_id IN (SELECT d.break_id FROM reconciler.break_work d WHERE d.due_on IS NOT NULL))
AND (@owner::text = '' OR w.owner = @owner::text)
AND (NOT @unowned::boolean OR w.owner IS NULL)
AND (@state::text = '' OR b.closed_on IS NULL AND coalesce(w.state, 'open') = @state::text) -- a closed one is in no state of work
AND (@due::text = '' OR w.due_on <= nullif(@due::text, '')::date)
AND (NOT @overdue::boolean OR w.due_on < @today::date)
