// Package month writes what a month leaves behind for the people who sign it and keep it: the page, the workbook, the CSV files, the month's
// journal, the sign-off and the manifest, which is chained to the manifests of the month's nights.
//
// It must never decide anything, read a clock, or know where the rows come from: the same input gives the same bytes.
package month
