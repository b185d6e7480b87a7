-- Entries x of the night: among all of them an id that is there twice is searched.
(x.created_at >= {{ duplicates_since }} AND x.created_at < @end::timestamptz)
