-- Entry e is a credit-back that this worker did not book.
e.kind = 'credit_back' AND NOT EXISTS (SELECT FROM reconciler.credit_backs o WHERE o.account_id = e.account_id AND o.job_id = e.job_id AND o.entry_id = e.id)
