package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// simOptions are the flags of `stoa sim agents`.
type simOptions struct {
	sim.Options
	master, ip, states string
	port               uint16
	interval           time.Duration
	verbose            bool
}

func simCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate parts of a large cluster, to try out and measure the real ones",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(simAgentsCommand())
	return cmd
}

func simAgentsCommand() *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "agents --master=HOST:PORT --count=N",
		Short: "Simulate agents that register with a master and run tasks on paper",
		Long: "Simulate agents that register with a master and run tasks on paper: they report the states of\n" +
			"--task_states and do nothing else. They work against any master, an original mesos-master too.\n" +
			"A line per second says what happens. Ctrl-C ends all agents at once, without a word to the master.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSimAgents(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.master, "master", "", "the master, as host:port (required)")
	f.IntVar(&o.Count, "count", 1, "number of agents")
	f.IntVar(&o.PerAddress, "agents_per_address", 0, "agents that share one listener, as its processes slave(1), slave(2), ...;\n"+
		"a master keeps one connection to each listener; 0: all agents behind one")
	f.StringVar(&o.ip, "ip", "", "address to listen on and to be reached at; empty: the one that leads to the master")
	f.Uint16Var(&o.port, "port", 0, "port of the first listener, further ones follow; 0: free ones")
	f.StringVar(&o.Resources, "resources", sim.DefaultResources, "what each agent has")
	f.StringVar(&o.Attributes, "attributes", "", "attributes of every agent, like rack:r1;zone:a")
	f.StringVar(&o.Hostname, "hostname", "sim", "the agents are called this and a number from 1")
	f.StringVar(&o.Version, "mesos_version", sim.DefaultVersion, "what the agents say they are")
	f.DurationVar(&o.RegistrationBackoff, "registration_backoff_factor", time.Second, "range of the random delay before an agent registers")
	f.StringVar(&o.states, "task_states", "starting,running", "what each task reports, in order, each with an optional delay:\n"+
		"starting,running:2s,finished:1m")
	f.Float64Var(&o.Fail, "fail", 0, "part of the tasks, 0 to 1, that end in TASK_FAILED")
	f.DurationVar(&o.FailAfter, "fail_after", 0, "how long after their last state they fail")
	f.DurationVar(&o.KillAfter, "kill_delay", 0, "how long a killed task takes to end")
	f.Float64Var(&o.Silent, "silent", 0, "part of the agents, 0 to 1, that stop: they answer no pings any more and hear nothing")
	f.DurationVar(&o.SilentAfter, "silent_after", 30*time.Second, "how long after their registration they stop")
	f.DurationVar(&o.SilentFor, "silent_for", 0, "how long they stop; 0: for ever")
	f.Uint64Var(&o.Seed, "seed", 0, "makes the choices of the agents repeatable; 0: random")
	f.DurationVar(&o.interval, "report_interval", time.Second, "how often to print a line; 0: never")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log what becomes of connections")
	return cmd
}

func runSimAgents(ctx context.Context, o simOptions, w io.Writer) error {
	if o.master == "" {
		return errors.New("--master is missing: give the master as host:port")
	}
	master, err := masterAddress(ctx, o.master)
	if err != nil {
		return err
	}
	o.Master, o.Port = master, o.port
	if o.ip == "" {
		o.IP, err = localAddress(master)
	} else if o.IP, err = netip.ParseAddr(o.ip); err == nil && (!o.IP.Is4() || o.IP.IsUnspecified()) {
		err = errors.New("it must be an IPv4 address of this machine")
	}
	if err != nil {
		return fmt.Errorf("--ip=%s: %w", o.ip, err)
	}
	if o.States, err = sim.ParseStates(o.states); err != nil {
		return fmt.Errorf("--task_states: %w", err)
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	agents, err := sim.New(o.Options, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	if err != nil {
		return err
	}
	addresses := agents.Addresses()
	fmt.Fprintf(w, "%d simulated agents at %d address(es) from %s on, for the master at %s; tasks report %s\n",
		o.Count, len(addresses), addresses[0], master, stateNames(o.States))
	if o.interval > 0 {
		reports, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			agents.Report(reports, w, o.interval)
		}()
		defer func() { stop(); <-done }()
	}
	return agents.Run(ctx)
}

func stateNames(states []sim.State) string {
	var names []string
	for _, s := range states {
		name := mesospb.TaskState_name[int32(s.State)]
		if s.After > 0 {
			name += " after " + s.After.String()
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// masterAddress resolves host:port, or master@host:port as the agent takes it too.
func masterAddress(ctx context.Context, text string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(text, "master@"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("--master=%s is not host:port", text)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp4", port)
	if err != nil || number == 0 {
		return netip.AddrPort{}, fmt.Errorf("--master=%s has no valid port", text)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(addresses) == 0 {
		return netip.AddrPort{}, fmt.Errorf("--master=%s: %s has no IPv4 address: %w", text, host, err)
	}
	return netip.AddrPortFrom(addresses[0].Unmap(), uint16(number)), nil
}

// localAddress is the address of this machine that a peer sees. No packet is sent.
func localAddress(peer netip.AddrPort) (netip.Addr, error) {
	c, err := net.Dial("udp4", peer.String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no way to %s; name an address to listen on: %w", peer, err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
