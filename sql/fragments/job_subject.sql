-- What job j is looked at as; see entry_subject.
CASE WHEN j.id LIKE 'entry:%' THEN 'entry:named:' || j.id ELSE j.id END
