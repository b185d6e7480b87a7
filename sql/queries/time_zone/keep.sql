-- The first to come decides; whoever comes later reads what it was.
INSERT INTO reconciler.time_zone (zone, first_night, kept_at)
VALUES (@zone::text, @first_night::date, @at::timestamptz)
ON CONFLICT (is_only) DO NOTHING
