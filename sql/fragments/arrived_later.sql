-- What arrived after the night had been reported, with entries that a later night books and looks at it with. The night had not a word to say of it,
-- and run again it would only miss what is there. None of what it has once said is taken back: those breaks cleared in the night that booked the entries.
late_subject AS MATERIALIZED (
    SELECT x.subject_id
    FROM reconciler.late_items l
    CROSS JOIN LATERAL (SELECT e.account_id, e.job_id, e.purchase_id FROM source.credit_entries e
                        WHERE e.account_id = l.account_id AND e.id = l.entry_id GROUP BY 1, 2, 3) e
    CROSS JOIN LATERAL (VALUES (e.job_id), (e.purchase_id)) AS x (subject_id)
    WHERE l.booked_on > @date::date AND l.entry_date <= @date::date AND x.subject_id <> ''
    GROUP BY 1
), arrived_later AS MATERIALIZED (
    SELECT subject_id FROM late_subject
    EXCEPT
    SELECT b.subject_id FROM late_subject l JOIN reconciler.breaks b ON b.subject_id = l.subject_id WHERE b.job = @job::text AND b.opened_on <= @date::date
)
