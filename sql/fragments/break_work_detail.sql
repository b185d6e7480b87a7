-- of row w of break_work, in one line: the audit log's, and what verify compares it with
concat_ws('; ', 'assigned to ' || w.owner, w.state, 'due on ' || w.due_on, nullif(w.note, '')) || ' by ' || w.actor
