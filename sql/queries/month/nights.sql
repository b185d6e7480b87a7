-- The month's nights that are published, each with its newest revision, and the first night of the books that each belongs to.
SELECT p.business_date, p.revision, p.manifest_sha256, k.books_begin
FROM (SELECT DISTINCT ON (business_date) business_date, revision, manifest_sha256
      FROM reconciler.publications
      WHERE business_date BETWEEN @from::date AND @to::date
      ORDER BY business_date, revision DESC) p
LEFT JOIN reconciler.book_closings k ON k.business_date = p.business_date
ORDER BY 1
