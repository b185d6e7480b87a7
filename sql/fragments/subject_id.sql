-- The id that a subject is shown by: the job's or purchase's, or entry:ID of an entry that names none.
CASE WHEN subject_id LIKE 'entry:named:%' THEN substr(subject_id, 13)
     WHEN subject_id LIKE 'entry:self:%' THEN 'entry:' || substr(subject_id, 12) ELSE subject_id END
