package launch_test

import (
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/launch"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func launched(t *testing.T, s launch.Settings, a *app.App, o *mesospb.Offer) *launch.Launch {
	t.Helper()
	l, reasons := matcher(s).Match(launch.NewPool(o), request(a), start)
	if l == nil {
		t.Fatalf("not launched: %v", reasons)
	}
	return l
}

// variables gives the environment as name=value lines.
func variables(c *mesospb.CommandInfo) string {
	var out []string
	for _, v := range c.GetEnvironment().GetVariables() {
		out = append(out, v.GetName()+"="+v.GetValue())
	}
	return strings.Join(out, "\n")
}

func onePort() *mesospb.Offer {
	return offer(scalar("cpus", 4, "*"), scalar("mem", 1000, "*"), ports("*", 31044, 31044))
}

const taskID = "shop_web.instance-5c1d2e00-65d5-11eb-9f0a-0242ac110003._app.1"

func TestCommandTask(t *testing.T) {
	a := sleeper()
	grace := 7 * time.Second
	a.TaskKillGracePeriod = &grace
	a.PortDefinitions = []app.PortDefinition{{
		Port: 8080, Name: "http", Protocol: app.UDPTCP, Labels: app.Map[string]{{Key: "VIP_0", Value: "/web:80"}},
	}}
	a.Labels = app.Map[string]{{Key: "team.name", Value: "shop"}, {Key: "long", Value: strings.Repeat("x", 512)}}
	a.Env = app.Map[app.EnvValue]{{Key: "HOST", Value: app.EnvValue{Value: "mine"}}, {Key: "S", Value: app.EnvValue{Value: "name", IsSecret: true}}}
	a.Fetch = []app.FetchURI{{URI: "http://x/y.tgz", Extract: true}}
	user := "nobody"
	a.User = &user
	l := launched(t, settings(), a, onePort())
	env := l.Info.Command.Environment
	want := `MESOS_TASK_ID=` + taskID + `
MARATHON_APP_ID=/shop/web
MARATHON_APP_VERSION=2021-02-03T04:05:06.007Z
MARATHON_APP_RESOURCE_CPUS=0.1
MARATHON_APP_RESOURCE_MEM=10.0
MARATHON_APP_RESOURCE_DISK=0.0
MARATHON_APP_RESOURCE_GPUS=0
MARATHON_APP_ENFORCE_GROUP_ROLE=FALSE
MARATHON_APP_LABELS=TEAM_NAME
MARATHON_APP_LABEL_TEAM_NAME=shop
PORT0=31044
PORT_8080=31044
PORT_HTTP=31044
PORT=31044
PORTS=31044
HOST=mine`
	if diff := cmp.Diff(want, variables(l.Info.Command)); diff != "" {
		t.Errorf("environment: %s", diff)
	}
	l.Info.Command.Environment = nil
	l.Info.Labels = nil
	golden := &mesospb.TaskInfo{}
	err := prototext.Unmarshal([]byte(`
		name: "web.shop" task_id { value: "`+taskID+`" } agent_id { value: "S0" }
		resources { name: "cpus" type: SCALAR scalar { value: 0.1 } role: "*" }
		resources { name: "mem" type: SCALAR scalar { value: 10 } role: "*" }
		resources { name: "ports" type: RANGES ranges { range { begin: 31044 end: 31044 } } role: "*" }
		command { value: "sleep 100" user: "nobody" uris { value: "http://x/y.tgz" extract: true executable: false cache: false } }
		kill_policy { grace_period { nanoseconds: 7000000000 } }
		discovery {
			visibility: FRAMEWORK name: "web.shop"
			ports {
				ports { number: 31044 name: "http" protocol: "udp" labels { labels { key: "VIP_0" value: "/web:80" } } }
				ports { number: 31044 name: "http" protocol: "tcp" labels { labels { key: "VIP_0" value: "/web:80" } } }
			}
		}`), golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, l.Info, protocmp.Transform()); diff != "" {
		t.Errorf("task: %s", diff)
	}
	if env == nil || l.Task.ID != taskID || l.Task.Network.HostPorts[0] != 31044 || l.Agent.Host != "host-0" {
		t.Errorf("launch %+v", l)
	}
}

func TestCommands(t *testing.T) {
	docker := &app.Container{Type: app.ContainerDocker, Docker: &app.Docker{Image: "python:3"}}
	for _, c := range []struct {
		name      string
		cmd       string
		args      []string
		container *app.Container
		want      string
	}{
		{"cmd", "sleep 1", nil, nil, `value: "sleep 1"`},
		{"cmd in a container", "sleep 1", nil, docker, `value: "sleep 1"`},
		{"args", "", []string{"/bin/sleep", "1"}, nil, `shell: false value: "/bin/sleep" arguments: "/bin/sleep" arguments: "1"`},
		{"args in a container", "", []string{"serve", "-v"}, docker, `shell: false arguments: "serve" arguments: "-v"`},
		{"entry point", "", nil, docker, `shell: false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sleeper()
			a.Cmd, a.Args, a.Container = c.cmd, c.args, c.container
			got := launched(t, settings(), a, onePort()).Info.Command
			got.Environment = nil
			want := &mesospb.CommandInfo{}
			if err := prototext.Unmarshal([]byte(c.want), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDockerBridge(t *testing.T) {
	a := sleeper()
	zero, fixed := 0, 31044
	a.Networks = []app.Network{{Mode: app.NetworkBridge}}
	hostPath := "/etc/hosts"
	a.Container = &app.Container{
		Type: app.ContainerDocker,
		Docker: &app.Docker{
			Image: "python:3", ForcePullImage: true, Parameters: []app.Parameter{{Key: "hostname", Value: "a"}},
		},
		Volumes: []app.Volume{{ContainerPath: "/h", HostPath: &hostPath, ReadOnly: true}},
		PortMappings: []app.PortMapping{
			{ContainerPort: 8080, HostPort: &fixed, Protocol: app.TCP, Name: "http", ServicePort: 10000},
			{ContainerPort: 0, HostPort: &zero, Protocol: app.UDPTCP},
			{ContainerPort: 9000, Protocol: app.TCP},
		},
	}
	o := offer(scalar("cpus", 4, "*"), scalar("mem", 1000, "*"), ports("*", 31044, 31045))
	l := launched(t, settings(), a, o)
	want := &mesospb.ContainerInfo{}
	if err := prototext.Unmarshal([]byte(`
		type: DOCKER
		volumes { container_path: "/h" host_path: "/etc/hosts" mode: RO }
		docker {
			image: "python:3" network: BRIDGE privileged: false force_pull_image: true
			port_mappings { host_port: 31044 container_port: 8080 protocol: "tcp" }
			port_mappings { host_port: 31045 container_port: 31045 protocol: "udp" }
			port_mappings { host_port: 31045 container_port: 31045 protocol: "tcp" }
			parameters { key: "hostname" value: "a" }
			parameters { key: "label" value: "MESOS_TASK_ID=`+taskID+`" }
		}`), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, l.Info.Container, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	env := variables(l.Info.Command)
	for _, line := range []string{
		"MARATHON_APP_DOCKER_IMAGE=python:3", "PORT0=31044", "PORT_8080=31044", "PORT_HTTP=31044", "PORT1=31045", "PORT_31045=31045",
		"PORT2=9000", "PORT_9000=9000", "PORT=31044", "PORTS=31044,31045",
	} {
		if !strings.Contains("\n"+env+"\n", "\n"+line+"\n") {
			t.Errorf("%s is missing in\n%s", line, env)
		}
	}
	discovered := l.Info.Discovery.Ports.Ports
	if len(discovered) != 3 || discovered[0].GetNumber() != 31044 || discovered[0].Labels.Labels[0].GetValue() != "host" {
		t.Errorf("discovery %v", discovered)
	}
}

func TestContainerNetwork(t *testing.T) {
	a := sleeper()
	host := 0
	a.Networks = []app.Network{{Mode: app.NetworkContainer, Name: "blue", Labels: app.Map[string]{{Key: "k", Value: "v"}}}}
	a.Container = &app.Container{
		Type: app.ContainerMesos, Docker: &app.Docker{Image: "busybox"},
		PortMappings: []app.PortMapping{{ContainerPort: 80, Protocol: app.TCP}, {ContainerPort: 81, HostPort: &host, Protocol: app.TCP}},
	}
	l := launched(t, settings(), a, onePort())
	want := &mesospb.ContainerInfo{}
	if err := prototext.Unmarshal([]byte(`
		type: MESOS
		mesos { image { type: DOCKER docker { name: "busybox" } cached: true } }
		network_infos {
			name: "blue" ip_addresses {} labels { labels { key: "k" value: "v" } }
			port_mappings { host_port: 31044 container_port: 81 protocol: "tcp" }
		}`), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, l.Info.Container, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	first := l.Info.Discovery.Ports.Ports[0]
	if first.GetNumber() != 80 || len(first.Labels.Labels) != 2 || first.Labels.Labels[1].GetValue() != "blue" {
		t.Errorf("discovery %v", first)
	}
}

func TestMesosHealthChecks(t *testing.T) {
	index, port, path := 0, 9, "/h"
	for _, c := range []struct {
		check app.HealthCheck
		want  string
	}{
		{app.HealthCheck{Protocol: app.HealthHTTP, PortIndex: &index}, ``},
		{app.HealthCheck{Protocol: app.HealthMesosHTTP, PortIndex: &index, Path: &path},
			`type: HTTP http { port: 31044 path: "/h" scheme: "http" protocol: IPv4 }`},
		{app.HealthCheck{Protocol: app.HealthMesosHTTPS, Port: &port, IPProtocol: app.IPv6},
			`type: HTTP http { port: 9 scheme: "https" protocol: IPv6 }`},
		{app.HealthCheck{Protocol: app.HealthMesosTCP, PortIndex: &index}, `type: TCP tcp { port: 31044 protocol: IPv4 }`},
		{app.HealthCheck{Protocol: app.HealthCommand, Command: "true"}, `type: COMMAND command { value: "true" }`},
	} {
		a := sleeper()
		a.PortDefinitions = []app.PortDefinition{{Protocol: app.TCP}}
		c.check.GracePeriod, c.check.Interval, c.check.Timeout, c.check.Delay = 4*time.Second, 3*time.Second, 2*time.Second, time.Second
		c.check.MaxConsecutiveFailures = 5
		a.HealthChecks = []app.HealthCheck{c.check}
		got := launched(t, settings(), a, onePort()).Info.HealthCheck
		if c.want == "" {
			if got != nil {
				t.Errorf("%s: %v", c.check.Protocol, got)
			}
			continue
		}
		want := &mesospb.HealthCheck{
			GracePeriodSeconds: proto.Float64(4), IntervalSeconds: proto.Float64(3), TimeoutSeconds: proto.Float64(2),
			DelaySeconds: proto.Float64(1), ConsecutiveFailures: proto.Uint32(5),
		}
		more := &mesospb.HealthCheck{}
		if err := prototext.Unmarshal([]byte(c.want), more); err != nil {
			t.Fatal(err)
		}
		proto.Merge(want, more)
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", c.check.Protocol, diff)
		}
	}
}

func TestCustomExecutor(t *testing.T) {
	a := sleeper()
	a.Executor = "/opt/it's"
	a.ExecutorResources = &app.ExecutorResources{CPUs: 0.1, Mem: 32, Disk: 10}
	info := launched(t, settings(), a, onePort()).Info
	if info.Command != nil || info.Executor.GetExecutorId().GetValue() != "marathon-"+taskID {
		t.Fatalf("task %v", info)
	}
	if got, want := info.Executor.GetCommand().GetValue(), `chmod ug+rx '/opt/it'\''s' && exec '/opt/it'\''s' sleep 100`; got != want {
		t.Errorf("command %s, want %s", got, want)
	}
	if len(info.Executor.Resources) != 3 {
		t.Errorf("resources %v", info.Executor.Resources)
	}
}

func TestEnvironmentPrefix(t *testing.T) {
	s := settings()
	s.EnvPrefix = "P_"
	a := sleeper()
	a.PortDefinitions = []app.PortDefinition{{Protocol: app.TCP}}
	env := variables(launched(t, s, a, onePort()).Info.Command)
	for _, name := range []string{"\nP_PORT0=", "\nP_HOST=", "\nP_PORT_31044=31044", "\nMARATHON_APP_ID="} {
		if !strings.Contains(env, name) {
			t.Errorf("%q is missing in %s", name, env)
		}
	}
}
