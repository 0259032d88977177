// Command replay does vector files against running servers and says where the
// answers are not what they should be.
//
//	go run ./compat-tests/cmd/replay --server=http://127.0.0.1:5050 compat-tests/vectors/master/*.json
//
// It ends with 0 when everything matched, with 1 when something did not, and with
// 2 when it could not begin.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"stoa/compat-tests/replay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	flags := pflag.NewFlagSet("replay", pflag.ContinueOnError)
	servers := make(map[string]*string)
	for _, name := range []string{"master", "agent", "marathon"} {
		servers[name] = flags.String(name, "", "base URL of the "+name)
	}
	all := flags.String("server", "", "base URL of every server that has none of its own, such as http://127.0.0.1:5050")
	vars := flags.StringToString("var", nil, "a value for vectors, name=value; may be repeated")
	has := flags.StringSlice("has", nil, "what is there besides the servers, for vectors that need it")
	verbose := flags.BoolP("verbose", "v", false, "name the scenarios that match, too")
	flags.Usage = func() {
		fmt.Fprintf(os.Stderr, "Usage: replay --server=URL [flags] FILES or DIRECTORIES\n\n%s", flags.FlagUsages())
	}
	if err := flags.Parse(args); err != nil {
		if err != pflag.ErrHelp {
			fmt.Fprintln(os.Stderr, err)
		}
		return 2
	}
	runner := &replay.Runner{Servers: make(map[string]string), Vars: *vars, Has: *has}
	for name, base := range servers {
		if *base == "" {
			base = all
		}
		if *base != "" {
			runner.Servers[name] = strings.TrimSuffix(*base, "/")
		}
	}
	if len(runner.Servers) == 0 {
		fmt.Fprintln(os.Stderr, "no server: say --server=http://host:port, or --master, --agent, --marathon")
		return 2
	}
	files, err := vectorFiles(flags.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return replayAll(ctx, runner, files, *verbose)
}

func replayAll(ctx context.Context, runner *replay.Runner, files []string, verbose bool) int {
	matched, failed, skipped := 0, 0, 0
	for _, file := range files {
		scenario, err := replay.Load(file)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		report := runner.Run(ctx, scenario)
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "interrupted")
			return 1
		}
		switch {
		case report.Failed():
			failed++
			fmt.Printf("FAIL  %s: %s\n%s", file, scenario.Name, report)
		case report.Skipped != "":
			skipped++
			fmt.Printf("skip  %s: %s\n", file, report.Skipped)
		default:
			matched++
			if verbose {
				fmt.Printf("ok    %s: %s\n", file, scenario.Name)
			}
		}
	}
	fmt.Printf("%d matched, %d failed, %d skipped\n", matched, failed, skipped)
	if failed > 0 {
		return 1
	}
	return 0
}

// vectorFiles finds the .json files of directories and keeps files as they are.
func vectorFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".json") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("no vector files: name some, such as compat-tests/vectors")
	}
	return files, nil
}
