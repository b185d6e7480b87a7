// Package publish writes a night's reports and records that they were published, and never over files that were changed since.
package publish
