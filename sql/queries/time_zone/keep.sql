-- The first to come decides; whoever comes later reads what it was.
INSERT INTO reconciler.time_zone (zone) VALUES (@zone::text) ON CONFLICT (is_only) DO NOTHING
