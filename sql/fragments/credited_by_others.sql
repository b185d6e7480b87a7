-- Entry e is a credit-back that this worker did not book. Counted, so that it is looked up one by one: as a set, a planner that expects one entry
-- compares each of ten thousand with all that were ever booked.
e.kind = 'credit_back' AND (SELECT count(*) FROM reconciler.credit_backs o WHERE o.account_id = e.account_id AND o.job_id = e.job_id AND o.entry_id = e.id) = 0
