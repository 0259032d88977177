package launch

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/playjson"

	"google.golang.org/protobuf/proto"
)

// Limits of the variables that labels become; a label over one of them is left out.
// Original: mesosphere/mesos/EnvironmentHelper.scala.
const (
	labelPrefix   = "MARATHON_APP_LABEL_"
	maxLabelValue = 512
	maxLabelKey   = maxLabelValue - len(labelPrefix)
)

// environment collects variables; setting one again replaces its value in its place.
type environment struct {
	variables []*mesospb.Environment_Variable
	index     map[string]int
}

func (e *environment) set(name, value string) {
	if at, ok := e.index[name]; ok {
		e.variables[at].Value = proto.String(value)
		return
	}
	if e.index == nil {
		e.index = map[string]int{}
	}
	e.index[name] = len(e.variables)
	e.variables = append(e.variables, &mesospb.Environment_Variable{Name: proto.String(name), Value: proto.String(value)})
}

// taskEnvironment is everything a task finds in its environment: what Marathon tells
// about the app, then ports and host, then the app's own variables, which win.
func (m *Matcher) taskEnvironment(req Request, taskID, host string, hostPorts []*int) *mesospb.Environment {
	a := req.App
	var e environment
	e.set("MESOS_TASK_ID", taskID)
	e.set("MARATHON_APP_ID", a.ID.String())
	e.set("MARATHON_APP_VERSION", a.Version().String())
	if a.Container != nil && a.Container.Type == app.ContainerDocker && a.Container.Docker != nil {
		e.set("MARATHON_APP_DOCKER_IMAGE", a.Container.Docker.Image)
	}
	e.set("MARATHON_APP_RESOURCE_CPUS", javaDouble(a.Resources.CPUs))
	e.set("MARATHON_APP_RESOURCE_MEM", javaDouble(a.Resources.Mem))
	e.set("MARATHON_APP_RESOURCE_DISK", javaDouble(a.Resources.Disk))
	e.set("MARATHON_APP_RESOURCE_GPUS", strconv.Itoa(a.Resources.GPUs))
	e.set("MARATHON_APP_ENFORCE_GROUP_ROLE", strings.ToUpper(strconv.FormatBool(req.EnforceRole)))
	labelVariables(a.Labels, e.set)
	prefixed := func(name, value string) { e.set(m.settings.EnvPrefix+name, value) }
	portVariables(a, hostPorts, m.random, prefixed)
	prefixed("HOST", host)
	for _, variable := range a.Env {
		// References to secrets are resolved by plugins only.
		if !variable.Value.IsSecret {
			e.set(variable.Key, variable.Value.Value)
		}
	}
	return &mesospb.Environment{Variables: e.variables}
}

func labelVariables(labels app.Map[string], set func(name, value string)) {
	var names []string
	var valid app.Map[string]
	for _, label := range labels {
		if len(label.Key) >= maxLabelKey || len(label.Value) >= maxLabelValue {
			continue
		}
		name := escapeLabel(label.Key)
		if _, twice := valid.Get(name); !twice {
			names = append(names, name)
		}
		valid = valid.With(name, label.Value)
	}
	set("MARATHON_APP_LABELS", strings.Join(names, " "))
	for _, label := range valid {
		set(labelPrefix+label.Key, label.Value)
	}
}

// escapeLabel turns each run of characters that a variable's name cannot have into one
// underscore, and the rest into upper case.
func escapeLabel(key string) string {
	var out strings.Builder
	run := false
	for _, c := range key {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			out.WriteRune(c)
			run = false
		} else if !run {
			out.WriteByte('_')
			run = true
		}
	}
	return strings.ToUpper(out.String())
}

// requestedPort is a port as the app's definition names it; 0 asks for any.
type requestedPort struct {
	name string
	port int
}

func requestedPorts(a *app.App) []requestedPort {
	var out []requestedPort
	if mappings := a.PortMappings(); len(mappings) > 0 {
		for _, p := range mappings {
			out = append(out, requestedPort{p.Name, p.ContainerPort})
		}
		return out
	}
	for _, p := range a.PortDefinitions {
		out = append(out, requestedPort{p.Name, p.Port})
	}
	return out
}

// portVariables sets PORT<i>, PORT_<requested number>, PORT_<NAME>, PORT and PORTS.
// A mapping without a host port that asks for any container port gets a random one.
// Original: EnvironmentHelper.portsEnv.
func portVariables(a *app.App, hostPorts []*int, random *rand.Rand, set func(name, value string)) {
	if len(hostPorts) == 0 {
		return
	}
	requested := requestedPorts(a)
	used := map[int]bool{}
	for _, r := range requested {
		used[r.port] = true
	}
	for _, p := range hostPorts {
		if p != nil {
			used[*p] = true
		}
	}
	var all, generated []string
	for _, p := range hostPorts {
		if p != nil {
			all = append(all, strconv.Itoa(*p))
		}
	}
	effective := make([]int, len(hostPorts))
	for i, p := range hostPorts {
		switch {
		case p != nil:
			effective[i] = *p
		case requested[i].port != 0:
			effective[i] = requested[i].port
		default:
			effective[i] = randomPort(used, random)
			generated = append(generated, strconv.Itoa(effective[i]))
		}
		set("PORT"+strconv.Itoa(i), strconv.Itoa(effective[i]))
	}
	for i, r := range requested {
		number := r.port
		if number == 0 {
			number = effective[i]
		}
		set("PORT_"+strconv.Itoa(number), strconv.Itoa(effective[i]))
	}
	for i, r := range requested {
		if r.name != "" {
			set("PORT_"+strings.ToUpper(r.name), strconv.Itoa(effective[i]))
		}
	}
	all = append(all, generated...)
	if len(all) > 0 {
		set("PORT", all[0])
	}
	set("PORTS", strings.Join(all, ","))
}

func randomPort(used map[int]bool, random *rand.Rand) int {
	for {
		// An app has far fewer ports than there are numbers.
		if p := 1025 + random.IntN(65535-1024); !used[p] {
			used[p] = true
			return p
		}
	}
}

// javaDouble writes a number as the original's JVM does: 128.0, 0.1, 1.0E7.
func javaDouble(v float64) string { return string(playjson.AppendJavaDouble(nil, v)) }
