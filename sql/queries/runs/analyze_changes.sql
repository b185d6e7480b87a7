-- What a step that changes much adds to.
SELECT reconciler.analyze_tables('audit_changes', 'break_events', 'breaks', 'credit_backs')
