INSERT INTO reconciler.payout_tie_outs (business_date, payout_id, currency, status, automatic, method, type, created_at, arrival_date,
    amount_minor, transactions, gross_minor, fee_minor, net_minor, returned_minor, residual_minor, tie_out)
VALUES (@date::date, @payout_id::text, @currency::text, @status::text, @automatic::boolean, @method::text, @type::text,
    @created_at::timestamptz, @arrival_date::date, @amount_minor::bigint, @transactions::bigint, @gross_minor::numeric, @fee_minor::numeric,
    @net_minor::numeric, @returned_minor::numeric, @residual_minor::numeric, @tie_out::text)
