-- One row per purchase that has a charge at Stripe, as of @as_of. Empty until Stripe has been synced.
(SELECT NULL::text AS purchase_id, NULL::text AS account_id, NULL::text AS charge_id, NULL::bigint AS charge_amount_minor, NULL::text AS charge_currency,
        NULL::bigint AS fee_minor, NULL::bigint AS settled_amount_minor, NULL::text AS settled_currency,
        NULL::bigint AS refunded_minor, NULL::timestamptz AS refunded_at, NULL::timestamptz AS disputed_at, NULL::boolean AS dispute_open
 WHERE false)
