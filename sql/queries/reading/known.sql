-- Whether entries of this night count in another one, or the other way round; whether rows of other nights are read again; and the failures that every policy version in force in the night puts
-- down to somebody: nothing about such a job is open but its debit.
SELECT EXISTS (SELECT 1 FROM reconciler.late_items l
               WHERE l.booked_at >= @begin::timestamptz AND l.booked_at < @end::timestamptz OR l.entry_date = @date::date) AS some_moved,
       EXISTS (SELECT 1 FROM reconciler.rescans r WHERE r.business_date = @date::date) AS rescans,
       ARRAY(SELECT f.status || ':' || f.failure_code
             FROM reconciler.policy_versions v
             JOIN reconciler.failure_classes f ON f.policy = v.policy AND f.version = v.version
             WHERE v.policy = @policy::text AND v.effective_from < @end::timestamptz AND v.effective_to > @begin::timestamptz AND f.class <> 'unknown'
             GROUP BY 1
             HAVING count(*) = (SELECT count(*) FROM reconciler.policy_versions w
                                WHERE w.policy = @policy::text AND w.effective_from < @end::timestamptz AND w.effective_to > @begin::timestamptz)
             ORDER BY 1) AS failures
