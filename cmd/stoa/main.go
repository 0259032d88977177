// Command stoa is the whole cluster in one binary: master, agent and Marathon,
// each on its own or all together. It holds nothing but flags and wiring.
//
// Called by the name of an original daemon (mesos-master, mesos-agent,
// mesos-slave, marathon, mesos-init-wrapper) it behaves as that daemon; the
// agent starts it again under the names of its helpers (package reexec).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"stoa/agent/executor/reexec"
	"stoa/internal/flags"
)

// version is set by the linker.
var version = "unknown"

// process is what a command sees of the process around it.
type process struct {
	args    []string // without the program name
	environ []string
	// packaged says that the files under /etc of the original's package count.
	packaged bool
}

// exitStatus ends the process with that status without another word.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		// The agent's own processes outlive it and decide themselves what a signal means.
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args)
	stop()
	var status exitStatus
	switch {
	case err == nil:
	case errors.As(err, &status):
		os.Exit(int(status))
	default:
		fmt.Fprintln(os.Stderr, "stoa: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, argv []string) error {
	p := process{args: argv[1:], environ: os.Environ()}
	switch filepath.Base(argv[0]) {
	case "mesos-master":
		return runMaster(ctx, p)
	case "mesos-agent", "mesos-slave":
		return runAgent(ctx, p)
	case "marathon":
		p.packaged = true
		return runMarathon(ctx, p)
	case "chronos":
		return errNoChronos
	case "mesos-init-wrapper":
		return runInitWrapper(ctx, p)
	}
	root := rootCommand(p)
	root.SetArgs(argv[1:])
	return root.ExecuteContext(ctx)
}

var errNoChronos = errors.New("this version has no Chronos yet; keep the original running beside it")

func rootCommand(p process) *cobra.Command {
	root := &cobra.Command{
		Use:           "stoa",
		Short:         "A Mesos master and agent and Marathon in one binary",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	// The daemons read their arguments themselves, in the form of the originals.
	daemon := func(name, short string, f func(context.Context, process) error) *cobra.Command {
		return &cobra.Command{
			Use: name + " [flags]", Short: short, DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				p.args = args
				return f(cmd.Context(), p)
			},
		}
	}
	root.AddCommand(
		localCommand(),
		daemon("master", "Run a master, as mesos-master", runMaster),
		daemon("agent", "Run an agent, as mesos-agent", runAgent),
		daemon("marathon", "Run Marathon", runMarathon),
		daemon("init-wrapper", "Run master, agent or marathon with the configuration of the original's package", runInitWrapper),
		simCommand(),
	)
	return root
}

// load reads the flags of a daemon and handles --help and --version.
func load(t *flags.Table, scallop bool, p process) (*flags.Values, error) {
	read := t.Load
	if scallop {
		read = t.LoadScallop
	}
	v, err := read(flags.Source{Args: p.args, Environ: p.environ})
	if errors.Is(err, flags.ErrHelp) {
		fmt.Print(t.Usage())
		return nil, exitStatus(0)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%s --help lists the flags)", err, t.Program)
	}
	if v.Bool("version") {
		fmt.Printf("%s %s (stoa %s)\n", t.Program, compatVersion, version)
		return nil, exitStatus(0)
	}
	return v, nil
}
