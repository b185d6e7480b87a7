-- what the money of decision d, the newest about request r, waits for, and the next step; '' where it waits for nothing: none is due, it was called off,
-- or it was paid
CASE WHEN d.decision IS DISTINCT FROM 'approve' OR d.kind <> 'unused_credits' OR coalesce(d.refund_minor, 0) = 0 OR r.status IN ('withdrawn', 'denied') THEN ''
     ELSE coalesce((SELECT CASE WHEN i.state = 'settled' THEN ''
                                WHEN i.state IN ('sending', 'unknown', 'sent') THEN 'on its way, by plan ' || i.plan_id
                                WHEN i.state = 'planned' AND NOT EXISTS (SELECT FROM reconciler.refund_approvals a WHERE a.plan_id = i.plan_id)
                                    THEN 'planned, and not approved: somebody else than its maker runs reconciler refunds approve ' || i.plan_id
                                WHEN i.state = 'planned' THEN 'approved, and not sent: reconciler refunds execute ' || i.plan_id END
                    FROM reconciler.refund_intents i
                    WHERE i.account_id = d.account_id AND i.request_id = d.request_id AND i.state IN ('planned', 'sending', 'unknown', 'sent', 'settled')
                    LIMIT 1),
                   CASE WHEN {{ decision_answered }} THEN ''
                        WHEN d.charge_id = '' THEN 'no charge is known to refund: pay it by hand, or deny it on the platform'
                        WHEN EXISTS (SELECT FROM reconciler.stripe_disputes x WHERE x.charge_id = d.charge_id AND x.status NOT LIKE 'warning%')
                            THEN 'disputed, which no plan refunds: what no lost dispute has taken is settled by hand, or denied on the platform'
                        ELSE 'nobody has planned this refund: reconciler refunds plan' END) END
