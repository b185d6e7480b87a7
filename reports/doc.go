// Package reports writes what a night leaves behind for people and machines: the CSV files, summary.json, the page, the workbook,
// and the manifest that holds them together. Every table of the night is streamed once; its rows go to the CSV file, to the sheet
// and into the figures, so that all of them say the same by construction and memory doesn't grow with the night.
//
// It must never decide anything, read a clock, or know where the rows come from: whatever it writes was handed in, and the same
// rows give the same bytes. Where files end up is the business of package storage; what is in them, of the packages beside it: tables, figures,
// pages, workbook and journal.
package reports
