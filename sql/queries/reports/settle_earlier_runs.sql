-- The run rows of the revisions before this one: what was still running in them goes on in this one.
UPDATE reconciler.runs
SET status = 'completed', finished_at = @at::timestamptz
WHERE business_date = @date::date AND revision < @revision::int AND status = 'running'
