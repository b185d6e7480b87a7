INSERT INTO reconciler.night_figures (business_date, measure, unit, value)
SELECT @date::date, measure, unit, value
FROM json_populate_recordset(NULL::reconciler.night_figures, @rows::json)
