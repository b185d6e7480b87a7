-- Steps of refunds, and entries that they posted, which the log doesn't have.
SELECT e.intent_id AS subject_id, 'step ' || e.event_no || ' to ' || e.state AS problem
FROM reconciler.refund_events e
WHERE NOT EXISTS (SELECT FROM reconciler.audit_changes a WHERE a.account_id = e.account_id AND a.subject = 'refund_intent'
                  AND a.subject_id = e.intent_id AND a.change = e.event_no::text)
UNION ALL
SELECT x.entry_id, 'the entry was posted'
FROM reconciler.refund_intents i
CROSS JOIN LATERAL (VALUES (i.hold_entry_id), (i.release_entry_id)) x (entry_id)
WHERE x.entry_id <> '' AND NOT EXISTS (SELECT FROM reconciler.audit_changes a WHERE a.account_id = i.account_id AND a.subject = 'credit_entry'
                                       AND a.subject_id = x.entry_id AND a.change IN ('posted', 'taken as release'))
ORDER BY 1, 2
LIMIT @limit::int
