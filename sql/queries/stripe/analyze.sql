-- After much was read, the planner must know of it at once: the night's joins come next.
ANALYZE reconciler.stripe_balance_transactions, reconciler.stripe_charges, reconciler.stripe_refunds, reconciler.stripe_disputes,
    reconciler.stripe_payouts, reconciler.stripe_invoices, reconciler.stripe_invoice_lines, reconciler.stripe_subscriptions, reconciler.stripe_states
