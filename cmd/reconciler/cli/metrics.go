package cli

import "time"

// MetricsTargets are where one-shot runs leave their figures.
type MetricsTargets struct {
	PushURL  string // of a Pushgateway; empty: none
	Textfile string // for node_exporter's textfile collector; empty: none
}

func (s *Settings) MetricsTargets() MetricsTargets {
	return MetricsTargets{PushURL: s.Value("RECONCILER_PUSHGATEWAY_URL"), Textfile: s.Value("RECONCILER_METRICS_TEXTFILE")}
}

// MetricsPatience bounds what a run spends on its figures, after its work is done.
const MetricsPatience = 15 * time.Second
