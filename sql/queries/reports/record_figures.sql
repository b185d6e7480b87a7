INSERT INTO reconciler.night_figures (business_date, measure, unit, value)
SELECT @date::date, f.measure, f.unit, f.value::numeric
FROM unnest(@measures::text[], @units::text[], @values::text[]) AS f (measure, unit, value)
