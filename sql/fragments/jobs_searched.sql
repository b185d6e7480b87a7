-- Jobs x of the night, by either time: among all of them an id that is there twice is searched.
(x.created_at >= {{ duplicates_since }} AND x.created_at < @end::timestamptz OR x.finished_at >= {{ duplicates_since }} AND x.finished_at < @end::timestamptz)
