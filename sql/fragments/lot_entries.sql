-- Entry e with the lot that it is of; usage is one of its own.
e.account_id, e.kind, e.credits, e.created_at,
CASE WHEN {{ is_of_lot }} THEN {{ lot_kind }} ELSE 'usage' END AS lot_kind, CASE WHEN {{ is_of_lot }} THEN {{ lot_id }} ELSE '' END AS lot_id
