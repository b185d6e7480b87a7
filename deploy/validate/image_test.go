package validate

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// The Dockerfile is read by the parser and the linter of docker build itself.
func TestDockerfile(t *testing.T) {
	file, err := os.Open("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range parsed.Warnings {
		t.Error(warning.Short)
	}
	stages, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{
		Warn: func(rule, _, _, message string, _ []parser.Range) { t.Errorf("%s: %s", rule, message) },
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 {
		t.Fatalf("%d stages, not one to build in and one to run", len(stages))
	}

	build := ""
	for _, command := range stages[0].Commands {
		if run, ok := command.(*instructions.RunCommand); ok {
			build += strings.Join(run.CmdLine, " ") + "\n"
		}
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-buildvcs=false", "-buildid=", "-X main.buildVersion=$VERSION", "-X main.buildRevision=$REVISION"} {
		if !strings.Contains(build, flag) {
			t.Errorf("the build lacks %s", flag)
		}
	}
	// The linker says nothing about a variable that isn't there.
	if !strings.Contains(read(t, "../../cmd/reconciler/version.go"), "\nvar buildVersion, buildRevision string\n") {
		t.Error("command reconciler has no variables buildVersion and buildRevision to set")
	}
	final := stages[1]
	for _, image := range []string{stages[0].BaseName, final.BaseName} {
		if !strings.Contains(image, ":") || strings.HasSuffix(image, ":latest") {
			t.Errorf("%s is not pinned", image)
		}
	}
	var user string
	var entrypoint []string
	for _, command := range final.Commands {
		switch c := command.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EntrypointCommand:
			entrypoint = c.CmdLine
		case *instructions.RunCommand:
			t.Error("the final image has no shell to run anything with")
		}
	}
	if user != "65532:65532" {
		t.Errorf("user %q, not 65532:65532 as the manifests have it", user)
	}
	if !slices.Equal(entrypoint, []string{"/reconciler"}) {
		t.Errorf("entry point %q, not /reconciler", entrypoint)
	}
}
