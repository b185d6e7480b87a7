package jobs

import "context"

// ReportSink is where a night's reports go.
type ReportSink interface{}

// reportNight writes and publishes the night's reports.
func reportNight(ctx context.Context, n *Night) (Counts, error) { return Counts{}, nil }
