UPDATE reconciler.runs
SET status = @status::text, counts = @counts::jsonb, error = @error::text, finished_at = @at::timestamptz
WHERE business_date = @date::date AND job = @job::text AND revision = @revision::int
