-- After much was read, the planner must know of it at once: the night's joins come next.
SELECT reconciler.analyze_tables('stripe_balance_transactions', 'stripe_charges', 'stripe_refunds', 'stripe_disputes', 'stripe_payouts',
    'stripe_invoices', 'stripe_invoice_lines', 'stripe_subscriptions', 'stripe_states')
