-- What entry e is looked at as: the job that it names, or itself. No id of a job can be taken for an entry's that names none, nor the
-- other way round: ids that themselves begin with "entry:" are marked as named (named_job does the same, named_id undoes it).
CASE WHEN coalesce(e.job_id, '') = '' THEN 'entry:self:' || e.id WHEN e.job_id LIKE 'entry:%' THEN 'entry:named:' || e.job_id ELSE e.job_id END
