-- who works on break b, until when, and in which state it is
(SELECT (array_agg(w.owner ORDER BY w.work_no DESC) FILTER (WHERE w.owner IS NOT NULL))[1] AS owner,
        (array_agg(w.state ORDER BY w.work_no DESC) FILTER (WHERE w.state IS NOT NULL))[1] AS state,
        (array_agg(w.due_on ORDER BY w.work_no DESC) FILTER (WHERE w.due_on IS NOT NULL))[1] AS due_on,
        count(*) FILTER (WHERE w.note <> '') AS notes
 FROM reconciler.break_work w
 WHERE w.account_id = b.account_id AND w.break_id = b.break_id)
