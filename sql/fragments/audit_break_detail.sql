-- of event e of break b, in one line
e.event || ' ' || b.kind || ' ' || b.subject_id || ' ' || e.ours || ' -> ' || e.theirs
                 || CASE WHEN e.reason = '' THEN '' ELSE ' by ' || e.actor || ': ' || e.reason END
