-- Notes when objects that were read again were seen, whether or not they had changed. Ids are unique over all kinds.
WITH charges AS (UPDATE reconciler.stripe_charges SET seen_at = to_timestamp(@seen_at::bigint) WHERE id = ANY (@ids::text[]) AND seen_at < to_timestamp(@seen_at::bigint)),
     refunds AS (UPDATE reconciler.stripe_refunds SET seen_at = to_timestamp(@seen_at::bigint) WHERE id = ANY (@ids::text[]) AND seen_at < to_timestamp(@seen_at::bigint)),
     disputes AS (UPDATE reconciler.stripe_disputes SET seen_at = to_timestamp(@seen_at::bigint) WHERE id = ANY (@ids::text[]) AND seen_at < to_timestamp(@seen_at::bigint)),
     payouts AS (UPDATE reconciler.stripe_payouts SET seen_at = to_timestamp(@seen_at::bigint) WHERE id = ANY (@ids::text[]) AND seen_at < to_timestamp(@seen_at::bigint))
SELECT 1 AS seen
