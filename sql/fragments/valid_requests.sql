-- Refund requests that keep the contract.
(SELECT id, account_id, kind, account_email, purchase_id, job_id, invoice_id, stated_date, stated_amount_minor, stated_currency,
        reason, status, requested_at, decided_at
 FROM source.refund_requests
 WHERE {{ request_is_valid }})
