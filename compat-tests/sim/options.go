package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Options say who the agents are and how they and their tasks behave. The zero value
// of everything but Master, Count and Resources is useful.
type Options struct {
	// Master is where the process "master" listens.
	Master netip.AddrPort
	// Count is the number of agents.
	Count int
	// PerAddress is how many agents share one listener; zero puts all behind one. A
	// master keeps one connection to each address, so this decides how many.
	PerAddress int
	// IP is the address to listen on and to be reached at. It must not be 0.0.0.0.
	IP netip.Addr
	// Port is the port of the first listener, further ones follow it; zero takes free ones.
	Port uint16

	// Resources is what each agent has, in the form of the agent's --resources.
	Resources string
	// Attributes are those of every agent, in the form of the agent's --attributes.
	Attributes string
	// Hostname names the agents: agent n is called Hostname followed by n, from 1.
	// Empty is "sim".
	Hostname string
	// Version is what the agents say they are; empty is DefaultVersion.
	Version string
	// RegistrationBackoff is the range of the random delay before the first attempt to
	// register; it doubles with each, up to a minute. Zero is one second, as the
	// original's --registration_backoff_factor; negative is no delay at first.
	RegistrationBackoff time.Duration

	// States are what a task reports after its launch, in order. Empty is
	// TASK_STARTING and TASK_RUNNING at once.
	States []State
	// Fail is the part (0 to 1) of the tasks that end in TASK_FAILED: in place of a
	// terminal last state, or FailAfter the last one.
	Fail      float64
	FailAfter time.Duration
	// KillAfter is how long a task takes to end when it is killed.
	KillAfter time.Duration

	// Silent is the part (0 to 1) of the agents that stop: SilentAfter their
	// registration they neither hear nor say anything, as if stopped by SIGSTOP, for
	// SilentFor, or for ever if that is zero.
	Silent                 float64
	SilentAfter, SilentFor time.Duration

	// Seed makes the agents' choices repeatable; zero takes a random one.
	Seed uint64
}

// DefaultVersion is the Mesos version that simulated agents say they are.
const DefaultVersion = "1.11.0"

// DefaultResources is a middling machine.
const DefaultResources = "cpus:16;mem:65536;disk:1048576;ports:[31000-32000]"

// State is one step in the life of a task: After the step before, it reports State.
type State struct {
	State mesospb.TaskState
	After time.Duration
}

// ParseStates reads the value of --task_states: "starting,running:2s,finished:1m" is a
// task that starts at once, runs two seconds later, and ends a minute after that.
func ParseStates(text string) ([]State, error) {
	var list []State
	for _, part := range strings.Split(text, ",") {
		name, delay, timed := strings.Cut(strings.TrimSpace(part), ":")
		name = strings.ToUpper(name)
		if !strings.HasPrefix(name, "TASK_") {
			name = "TASK_" + name
		}
		number, known := mesospb.TaskState_value[name]
		s := State{State: mesospb.TaskState(number)}
		if !known || s.State == mesospb.TaskState_TASK_STAGING {
			return nil, fmt.Errorf("%q is no state that a task reports: use starting, running, finished, failed, killed, ...", part)
		}
		if timed {
			d, err := time.ParseDuration(delay)
			if err != nil || d < 0 {
				return nil, fmt.Errorf("%q has no valid delay: use 500ms, 2s, 1m, ...", part)
			}
			s.After = d
		}
		if len(list) > 0 && terminal(list[len(list)-1].State) {
			return nil, fmt.Errorf("%q comes after a state that ends the task", part)
		}
		list = append(list, s)
	}
	return list, nil
}

// behaviour is what all agents have in common.
type behaviour struct {
	Options
	// info is an AgentInfo without host name, port and id; total are its resources in
	// the present format.
	info  *mesospb.AgentInfo
	total resources.Resources
}

func newBehaviour(o Options) (*behaviour, error) {
	switch {
	case o.Count <= 0:
		return nil, errors.New("the number of agents must be above zero")
	case !o.Master.IsValid() || o.Master.Port() == 0:
		return nil, errors.New("the master's address is missing")
	case o.Fail < 0 || o.Fail > 1 || o.Silent < 0 || o.Silent > 1:
		return nil, errors.New("a fraction is a number from 0 to 1")
	case o.PerAddress < 0 || o.FailAfter < 0 || o.KillAfter < 0 || o.SilentAfter < 0 || o.SilentFor < 0:
		return nil, errors.New("numbers of agents and delays must not be negative")
	}
	if o.Hostname == "" {
		o.Hostname = "sim"
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.RegistrationBackoff == 0 {
		o.RegistrationBackoff = time.Second
	}
	if len(o.States) == 0 {
		o.States = []State{{State: mesospb.TaskState_TASK_STARTING}, {State: mesospb.TaskState_TASK_RUNNING}}
	}
	if o.Resources == "" {
		o.Resources = DefaultResources
	}
	b := &behaviour{Options: o}
	total, err := resources.Parse(o.Resources, "*")
	if err != nil {
		return nil, fmt.Errorf("resources %q: %w", o.Resources, err)
	}
	b.total = total
	b.info = &mesospb.AgentInfo{Checkpoint: proto.Bool(true), Resources: total.Proto()}
	if b.info.Attributes, err = parseAttributes(o.Attributes); err != nil {
		return nil, err
	}
	// The message is kept for ever, and what resources returns is shared.
	b.info = proto.CloneOf(b.info)
	if err := resources.DowngradeAll(b.info); err != nil {
		return nil, fmt.Errorf("resources %q: %w", o.Resources, err)
	}
	return b, nil
}

func parseAttributes(text string) ([]*mesospb.Attribute, error) {
	var list []*mesospb.Attribute
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' }) {
		name, value, ok := strings.Cut(token, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("attributes %q: %q is not of the form name:value", text, token)
		}
		v, err := resources.ParseValue(value)
		if err != nil || v.GetType() == mesospb.Value_SET {
			return nil, fmt.Errorf("attributes %q: %q is no text, number or range", text, value)
		}
		list = append(list, &mesospb.Attribute{Name: &name, Type: v.Type, Scalar: v.Scalar, Ranges: v.Ranges, Text: v.Text})
	}
	return list, nil
}
