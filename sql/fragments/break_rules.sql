-- What is fixed about each kind of break.
(SELECT kind, severity, subject_type, by_ours, by_theirs, by_variance
 FROM unnest(@kinds::text[], @severities::text[], @subject_types::text[], @by_ours::boolean[], @by_theirs::boolean[], @by_variance::boolean[])
      AS r (kind, severity, subject_type, by_ours, by_theirs, by_variance))
