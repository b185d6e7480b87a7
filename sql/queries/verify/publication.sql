SELECT revision, manifest_sha256, location FROM reconciler.publications WHERE business_date = @date::date ORDER BY revision DESC LIMIT 1
