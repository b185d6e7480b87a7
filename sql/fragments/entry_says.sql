-- A ledger entry e in words, whatever it lacks.
CASE WHEN e.credits < 0 THEN 'ledger: ' || -e.credits::numeric || ' credits taken from account '
           ELSE 'ledger: ' || coalesce(e.credits::text, '?') || ' credits given to account ' END
       || coalesce(e.account_id, '?') || ' (' || coalesce(e.kind, '?') || ')' || coalesce(': ' || e.memo, '')
