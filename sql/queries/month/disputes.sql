-- Disputes that the nights from @from through @date looked at, as the last of them saw each.
SELECT DISTINCT ON (d.dispute_id COLLATE "C", d.account_id COLLATE "C")
       d.dispute_id, d.account_id, d.purchase_id, d.charge_id, d.phase, d.status, d.reason, d.opened_at, d.evidence_due_by, d.amount_minor, d.currency, d.withdrawn_minor,
       d.returned_minor, d.fees_minor, d.settlement_currency, d.refunded_minor, d.clawback_minor, d.reinstatement_minor, d.account_status, d.review_suspension, d.tie_out
FROM reconciler.dispute_cases d
WHERE d.business_date BETWEEN @from::date AND @date::date
ORDER BY d.dispute_id COLLATE "C", d.account_id COLLATE "C", d.business_date DESC
