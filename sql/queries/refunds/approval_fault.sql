SELECT {{ approval_fault }} AS fault FROM reconciler.refund_approvals a WHERE a.plan_id = @plan_id::text
