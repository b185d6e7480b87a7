package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hummingbytes/reconciler/cmd/reconciler/cli"
)

// eachCommand calls fn for every command that a user can call.
func eachCommand(t *testing.T, fn func(t *testing.T, cmd *cobra.Command)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Runnable() && cmd.Name() != "help" && cmd.Parent() != nil && cmd.Parent().Name() != "completion" {
			t.Run(cmd.CommandPath(), func(t *testing.T) { fn(t, cmd) })
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand())
}

// A command's --help is about that command: its arguments and its own flags. What all of them can be set to is on one page.
func TestHelpShowsWhatTheCommandItselfTakes(t *testing.T) {
	help := func(t *testing.T, words ...string) string {
		var out, log bytes.Buffer
		if code := run(context.Background(), words, &out, &log); code != cli.ExitDone {
			t.Fatalf("%v: exit code %d: %s", words, code, log.String())
		}
		return out.String()
	}
	eachCommand(t, func(t *testing.T, cmd *cobra.Command) {
		text := help(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		_, argument, _ := strings.Cut(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()), " ")
		argument, _, _ = strings.Cut(strings.Trim(argument, "[]"), " ")
		if argument = strings.TrimRight(argument, "]"); strings.ToUpper(argument) == argument && argument != "" && !strings.Contains(text, "\nArguments:\n  "+argument+"   ") {
			t.Errorf("says nothing of its argument %s:\n%s", argument, text)
		}
		if !strings.Contains(text, "--help") || !strings.Contains(text, "reconciler help settings") {
			t.Errorf("neither its flags nor where the settings are:\n%s", text)
		}
		_, flags, _ := strings.Cut(text, "\nFlags:\n")
		cmd.Root().PersistentFlags().VisitAll(func(setting *pflag.Flag) {
			if strings.Contains(flags, "--"+setting.Name+" ") {
				t.Errorf("lists the setting --%s among its flags", setting.Name)
			}
		})
	})
	page := help(t, "help", "settings")
	newRootCommand().PersistentFlags().VisitAll(func(setting *pflag.Flag) {
		env := strings.ToUpper(strings.ReplaceAll(setting.Name, "-", "_"))
		if strings.Count(page, "\n  "+env+"\n") != 1 {
			t.Errorf("help settings doesn't have %s once", env)
		}
	})
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	eachCommand(t, func(t *testing.T, cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("its one line is %q", cmd.Short)
		}
		if !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Error("its help shows no example")
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			exampleParses(t, line)
		}
		for _, line := range strings.Split(cmd.Long, "\n") {
			if len(line) > 160 {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
		}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Usage == "" {
				t.Errorf("--%s says nothing of itself", flag.Name)
			}
			if setting := cmd.Root().PersistentFlags().Lookup(flag.Name); setting != nil && setting != flag {
				t.Errorf("--%s hides the setting of that name", flag.Name)
			}
		})
	})
}

// exampleParses tries the flags of an example on the command that it names.
func exampleParses(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "reconciler" {
		return
	}
	root := newRootCommand()
	cmd, _, err := root.Find(words[1:])
	if err != nil || cmd == root {
		t.Errorf("%q names no command: %v", line, err)
		return
	}
	for _, word := range words {
		name, isFlag := strings.CutPrefix(word, "--")
		name, _, _ = strings.Cut(name, "=")
		if isFlag && name != "help" && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil && root.PersistentFlags().Lookup(name) == nil {
			t.Errorf("%q: there is no --%s", line, name)
		}
	}
}

// What a flag may be set to is known to the shell as it is to the command.
func TestFlagsComplete(t *testing.T) {
	for line, want := range map[string]string{
		"run --fail-on ": "warning\nerror\n", "run ma": "match-jobs\nmatch-purchases\n", "breaks list --severity ": "info\nwarning\nerror\n", "check --log-level ": "debug\n",
		"report --format ": "quickbooks\n", "serve --reconciler-matching ": "fast\nexact\n",
	} {
		var out, log bytes.Buffer
		if code := run(context.Background(), append([]string{"__complete"}, strings.Split(line, " ")...), &out, &log); code != cli.ExitDone || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%q completes to %q (exit code %d), want %q", line, out.String(), code, want)
		}
	}
}

func TestWrongUsageOfEveryCommandExitsWith2(t *testing.T) {
	// Should one of them begin to work all the same, it finds no database.
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none?sslmode=disable")
	t.Setenv("REPORTS_URL", t.TempDir())
	eachCommand(t, func(t *testing.T, cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		for _, wrong := range [][]string{{"--no-such-flag"}, {"one", "two", "three", "four"}} {
			var out, log bytes.Buffer
			if code := run(context.Background(), append(append([]string{}, path...), wrong...), &out, &log); code != cli.ExitUsage {
				t.Errorf("%v: exit code %d, want %d:\n%s%s", wrong, code, cli.ExitUsage, log.String(), out.String())
			}
		}
	})
}
