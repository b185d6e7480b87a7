SELECT manifest_sha256 FROM reconciler.publications WHERE business_date = @date::date AND revision = @revision::int
