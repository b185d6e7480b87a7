-- Requests whose approved refund has to be, or to have been, paid.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', d.request_id, true
FROM {{ approved_refunds }} d
