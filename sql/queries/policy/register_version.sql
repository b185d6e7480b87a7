INSERT INTO reconciler.policy_versions (policy, version, effective_from, effective_to, refund_window_seconds, other_fees_withheld)
VALUES (@policy::text, @version::text, @effective_from::timestamptz, coalesce(@effective_to::timestamptz, 'infinity'), @refund_window_seconds::bigint,
    @other_fees_withheld::text[])
ON CONFLICT (policy, version) DO NOTHING
