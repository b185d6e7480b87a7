package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
	"github.com/hummingbytes/reconciler/reconcile/policyfile"
	"github.com/hummingbytes/reconciler/sql"
)

// versionFacts say what a binary is. Reports carry its version; the rest is for whoever has to tell two binaries apart.
type versionFacts struct {
	Version  string   `json:"version"`
	Revision string   `json:"revision,omitempty"`
	Modified bool     `json:"modified,omitempty"` // built from sources that are in no revision
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Schema   int64    `json:"schema"` // newest migration that it knows
	Policies []string `json:"policies"`
}

func newVersionCommand(*cli.Settings) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Long:  "version tells the version, what it was built from and with, the newest schema that it knows, and the versions of the built-in policy.",
		Example: `  reconciler version
  reconciler version --json`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			facts, err := binaryFacts()
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				encoder := json.NewEncoder(out)
				encoder.SetIndent("", "  ")
				return encoder.Encode(facts)
			}
			revision := facts.Revision
			if revision == "" {
				revision = "unknown"
			}
			if facts.Modified {
				revision += ", modified"
			}
			_, err = fmt.Fprintf(out, "reconciler %s\nrevision  %s\nbuilt     %s %s\nschema    %d\n", facts.Version, revision, facts.Go, facts.Platform, facts.Schema)
			for _, policy := range facts.Policies {
				fmt.Fprintf(out, "policy    %s (built in)\n", policy)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object instead of lines")
	return cmd
}

func binaryFacts() (versionFacts, error) {
	facts := versionFacts{Version: codeVersion(), Revision: buildRevision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				facts.Revision = s.Value
			case "vcs.modified":
				facts.Modified = s.Value == "true"
			}
		}
	}
	var err error
	if facts.Schema, err = sql.NewestMigration(); err != nil {
		return facts, err
	}
	policies, err := policyfile.Default()
	if err != nil {
		return facts, err
	}
	for _, version := range policies.Versions() {
		facts.Policies = append(facts.Policies, version.Version)
	}
	return facts, nil
}

// codeVersion is what the binary was built from.
func codeVersion() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}

// buildVersion and buildRevision are set by the linker for releases.
var buildVersion, buildRevision string
