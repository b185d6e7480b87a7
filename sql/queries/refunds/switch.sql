SELECT action_no, action, actor, reason, at FROM reconciler.refund_switch ORDER BY action_no DESC LIMIT 1
