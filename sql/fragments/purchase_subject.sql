-- What purchase p is looked at as; see entry_subject.
CASE WHEN p.id LIKE 'entry:%' THEN 'entry:named:' || p.id ELSE p.id END
