INSERT INTO reconciler.stripe_checks (account_id, business_date, job, check_name, subject_id, outcome, kind, field, ours, theirs, variance,
    unit, detail, amount_minor, currency, since)
VALUES (@account_id::text, @date::date, @job::text, @check_name::text, @subject_id::text, @outcome::text, @kind::text, @field::text,
    @ours::text, @theirs::text, @variance::numeric, @unit::text, @detail::text, @amount_minor::numeric, @currency::text, @since::timestamptz)
