-- Who may approve refund plans.
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reconciler_approver') AS approver_exists,
       coalesce(has_table_privilege(to_regrole('reconciler_approver'), to_regclass('reconciler.refund_approvals'), 'INSERT'), false) AS approver_may,
       has_table_privilege(to_regclass('reconciler.refund_approvals'), 'INSERT') AS may_approve,
       coalesce(pg_has_role(to_regrole('reconciler_approver'), 'MEMBER'), false) AS may_become
