package engine

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
)

func request(change func(*Request)) Request {
	r := Request{
		Name: "mesos-x", Sandbox: "/work/sandbox", MappedDirectory: "/mnt/mesos/sandbox",
		Container: &mesospb.ContainerInfo{
			Type:   mesospb.ContainerInfo_DOCKER.Enum(),
			Docker: &mesospb.ContainerInfo_DockerInfo{Image: proto.String("image")},
		},
		Command:   &mesospb.CommandInfo{Value: proto.String("run")},
		Resources: []*mesospb.Resource{scalarResource("cpus", 0.2), scalarResource("mem", 64)},
	}
	if change != nil {
		change(&r)
	}
	return r
}

func scalarResource(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("r")},
	}
}

func options(t *testing.T, change func(*Request)) *Options {
	t.Helper()
	o, err := NewOptions(request(change))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func volumeOf(container, host string, mode mesospb.Volume_Mode) *mesospb.Volume {
	return &mesospb.Volume{ContainerPath: proto.String(container), HostPath: proto.String(host), Mode: mode.Enum()}
}

func TestResourcesBecomeLimits(t *testing.T) {
	limit := func(value float64) *mesospb.Value_Scalar { return &mesospb.Value_Scalar{Value: proto.Float64(value)} }
	type limits struct{ shares, quota, memory, reservation int64 }
	for _, test := range []struct {
		name   string
		change func(*Request)
		want   limits
	}{
		{"as recorded", nil, limits{204, 0, 64 << 20, 0}},
		{"minima", func(r *Request) {
			r.Resources = []*mesospb.Resource{scalarResource("cpus", 0.001), scalarResource("mem", 1)}
		}, limits{2, 0, 32 << 20, 0}},
		{"CFS", func(r *Request) { r.EnableCFS = true }, limits{204, 20000, 64 << 20, 0}},
		{"limits", func(r *Request) {
			r.Limits = map[string]*mesospb.Value_Scalar{"cpus": limit(0.5), "mem": limit(128)}
		}, limits{204, 50000, 128 << 20, 64 << 20}},
		{"infinite limits", func(r *Request) {
			r.EnableCFS = true
			r.Limits = map[string]*mesospb.Value_Scalar{"cpus": limit(math.Inf(1)), "mem": limit(math.Inf(1))}
		}, limits{204, 0, 0, 64 << 20}},
	} {
		h := options(t, test.change).host
		if got := (limits{h.CPUShares, h.CPUQuota, h.Memory, h.MemoryReservation}); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		if burst := test.want.reservation != 0; burst != (h.OomScoreAdj > 0 && h.OomScoreAdj <= 1000) {
			t.Errorf("%s: OOM score adjustment %d", test.name, h.OomScoreAdj)
		}
	}
}

func TestVolumesAndEnvironment(t *testing.T) {
	o := options(t, func(r *Request) {
		r.Container.Volumes = []*mesospb.Volume{
			volumeOf("/abs", "/host", mesospb.Volume_RO),
			volumeOf("rel", "/host", mesospb.Volume_RW),
			volumeOf("/abs", "rel", mesospb.Volume_RW),
			{ContainerPath: proto.String("/v"), Mode: mesospb.Volume_RW.Enum(), Source: &mesospb.Volume_Source{
				Type:         mesospb.Volume_Source_DOCKER_VOLUME.Enum(),
				DockerVolume: &mesospb.Volume_Source_DockerVolume{Name: proto.String("vol"), Driver: proto.String("drv")},
			}},
		}
		r.Volumes = []string{"/persistent:/mnt/mesos/sandbox/data:rw"}
		r.Environment = map[string]string{"FIRST": "agent"}
		r.Command.Environment = &mesospb.Environment{Variables: []*mesospb.Environment_Variable{
			{Name: proto.String("FIRST"), Value: proto.String("command")}, {Name: proto.String("SECOND"), Value: proto.String("command")},
		}}
	})
	want := []string{"/host:/abs:ro", "/host:/mnt/mesos/sandbox/rel:rw", "/work/sandbox/rel:/abs:rw", "vol:/v:rw",
		"/work/sandbox:/mnt/mesos/sandbox", "/persistent:/mnt/mesos/sandbox/data:rw"}
	if !slices.Equal(o.host.Binds, want) || o.host.VolumeDriver != "drv" {
		t.Errorf("binds %q, driver %q", o.host.Binds, o.host.VolumeDriver)
	}
	env := []string{"FIRST=agent", "MESOS_ALLOCATION_ROLE=r", "MESOS_CONTAINER_NAME=mesos-x", "MESOS_SANDBOX=/mnt/mesos/sandbox", "SECOND=command"}
	if !slices.Equal(o.config.Env, env) {
		t.Errorf("environment %q", o.config.Env)
	}
}

func TestCommands(t *testing.T) {
	shell := options(t, nil)
	if !slices.Equal(shell.config.Entrypoint, []string{"/bin/sh"}) || !slices.Equal(shell.config.Cmd, []string{"-c", "run"}) {
		t.Errorf("%q %q", shell.config.Entrypoint, shell.config.Cmd)
	}
	plain := options(t, func(r *Request) {
		r.Command = &mesospb.CommandInfo{Shell: proto.Bool(false), Value: proto.String("/bin/echo"), Arguments: []string{"a b", "c"}}
	})
	if len(plain.config.Entrypoint) != 0 || !slices.Equal(plain.config.Cmd, []string{"/bin/echo", "a b", "c"}) {
		t.Errorf("%q %q", plain.config.Entrypoint, plain.config.Cmd)
	}
}

func TestPortsAndNetworks(t *testing.T) {
	mapped := func(network mesospb.ContainerInfo_DockerInfo_Network, port uint32) func(*Request) {
		return func(r *Request) {
			r.Container.Docker.Network = network.Enum()
			r.Container.Docker.PortMappings = []*mesospb.ContainerInfo_DockerInfo_PortMapping{{HostPort: &port, ContainerPort: proto.Uint32(80), Protocol: proto.String("UDP,tcp")}}
			r.Resources = append(r.Resources, &mesospb.Resource{Name: proto.String("ports"), Ranges: &mesospb.Value_Ranges{
				Range: []*mesospb.Value_Range{{Begin: proto.Uint64(31000), End: proto.Uint64(31005)}},
			}})
		}
	}
	o := options(t, mapped(mesospb.ContainerInfo_DockerInfo_BRIDGE, 31005))
	if len(o.host.PortBindings) != 2 || o.host.PortBindings["80/udp"][0].HostPort != "31005" || o.host.NetworkMode != "bridge" {
		t.Errorf("%v on %s", o.host.PortBindings, o.host.NetworkMode)
	}
	if mode := options(t, nil).host.NetworkMode; mode != "host" {
		t.Errorf("default network %s", mode)
	}
	for _, test := range []struct {
		change func(*Request)
		want   string
	}{
		{mapped(mesospb.ContainerInfo_DockerInfo_HOST, 31000), "Port mappings are only supported for bridge and user-defined networks"},
		{mapped(mesospb.ContainerInfo_DockerInfo_BRIDGE, 31006), "Port [31006] not included in resources"},
		{func(r *Request) {
			mapped(mesospb.ContainerInfo_DockerInfo_BRIDGE, 31000)(r)
			r.Resources = r.Resources[:2]
		}, "Port mappings require port resources"},
		{func(r *Request) { r.Container.Docker = nil }, "No docker info found in container info"},
		{func(r *Request) { r.Container.Hostname = proto.String("h") }, "Unable to set hostname with host network mode"},
		{func(r *Request) { r.Container.Docker.Network = mesospb.ContainerInfo_DockerInfo_USER.Enum() }, "No network info found in container info"},
		{func(r *Request) {
			r.Container.Docker.Network = mesospb.ContainerInfo_DockerInfo_USER.Enum()
			r.Container.NetworkInfos = []*mesospb.NetworkInfo{{}, {}}
		}, "Only a single network can be defined in Docker run"},
		{func(r *Request) { r.Command = &mesospb.CommandInfo{} }, "Shell specified but no command value provided"},
		{func(r *Request) { r.Container.Volumes = []*mesospb.Volume{volumeOf("a", "b", mesospb.Volume_RW)} }, "Both host_path 'b' and container_path 'a' of a volume are relative"},
		{func(r *Request) { r.Container.Volumes = []*mesospb.Volume{{ContainerPath: proto.String("/a")}} }, "Host path or volume source is required"},
	} {
		if _, err := NewOptions(request(test.change)); err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

func parametrised(pairs ...string) func(*Request) {
	return func(r *Request) {
		for i := 0; i < len(pairs); i += 2 {
			r.Container.Docker.Parameters = append(r.Container.Docker.Parameters,
				&mesospb.Parameter{Key: proto.String(pairs[i]), Value: proto.String(pairs[i+1])})
		}
	}
}

func TestParametersAreOptionsOfDockerRun(t *testing.T) {
	o := options(t, parametrised(
		"label", "a=b", "env", "P=1", "user", "1000:1000", "cap-add", "NET_ADMIN", "ulimit", "nofile=10:20", "memory-swap", "-1",
		"network", "mynet", "ip", "10.0.0.5", "network-alias", "web", "publish", "8080:80/tcp", "volume", "/a:/b:ro", "tmpfs", "/run:size=1m",
		"device", "/dev/fuse:rw", "log-driver", "syslog", "log-opt", "tag=x", "shm-size", "1g", "cpus", "1.5", "restart", "on-failure:3",
		"read-only", "true", "workdir", "/w", "add-host", "db:10.0.0.1", "dns", "1.2.3.4", "sysctl", "net.core.somaxconn=1024", "init", "true",
	))
	h, c := o.host, o.config
	for name, ok := range map[string]bool{
		"label":  c.Labels["a"] == "b",
		"env":    slices.Contains(c.Env, "P=1"),
		"user":   c.User == "1000:1000" && c.WorkingDir == "/w",
		"caps":   slices.Equal(h.CapAdd, []string{"NET_ADMIN"}),
		"ulimit": len(h.Ulimits) == 1 && h.Ulimits[0].Hard == 20,
		"memory": h.MemorySwap == -1 && h.ShmSize == 1<<30 && h.NanoCPUs == 1_500_000_000,
		"network": h.NetworkMode == "mynet" && o.network.EndpointsConfig["mynet"].IPAMConfig.IPv4Address == "10.0.0.5" &&
			slices.Equal(o.network.EndpointsConfig["mynet"].Aliases, []string{"web"}) && len(o.network.EndpointsConfig) == 1,
		"publish": h.PortBindings["80/tcp"][0].HostPort == "8080",
		"volume":  slices.Contains(h.Binds, "/a:/b:ro") && h.Tmpfs["/run"] == "size=1m",
		"device":  h.Devices[0].PathInContainer == "/dev/fuse" && h.Devices[0].CgroupPermissions == "rw",
		"log":     h.LogConfig.Type == "syslog" && h.LogConfig.Config["tag"] == "x",
		"restart": h.RestartPolicy.Name == "on-failure" && h.RestartPolicy.MaximumRetryCount == 3,
		"others":  h.ReadonlyRootfs && h.ExtraHosts[0] == "db:10.0.0.1" && h.DNS[0] == "1.2.3.4" && h.Sysctls["net.core.somaxconn"] == "1024" && *h.Init,
	} {
		if !ok {
			t.Errorf("%s was not applied: %+v %+v", name, h, c)
		}
	}
	for _, bad := range [][]string{{"detach", "true"}, {"cpus", "many"}, {"ulimit", "x"}, {"ip", "no"}, {"memory", "x"}, {"device", "a:b:c:d"}, {"publish", "x:y"}} {
		if _, err := NewOptions(request(parametrised(bad...))); err == nil || !strings.Contains(err.Error(), "'"+bad[0]+"'") {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

func TestDefaultDNS(t *testing.T) {
	defaults, err := ParseDefaultDNS(`{"mesos":[{"network_mode":"CNI","dns":{"nameservers":["8.8.8.8"]}}],"docker":[
		{"network_mode":"BRIDGE","dns":{"nameservers":["1.0.0.1"],"search":["s"],"options":["o"]}},
		{"network_mode":"USER","dns":{"nameservers":["1.0.0.2"]}},
		{"network_mode":"USER","network_name":"net","dns":{"nameservers":["1.0.0.3"]}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	on := func(network mesospb.ContainerInfo_DockerInfo_Network, name string, parameters ...string) []string {
		return options(t, func(r *Request) {
			r.DNS = defaults
			r.Container.Docker.Network = network.Enum()
			r.Container.NetworkInfos = []*mesospb.NetworkInfo{{Name: &name}}
			parametrised(parameters...)(r)
		}).host.DNS
	}
	for _, test := range []struct{ got, want []string }{
		{on(mesospb.ContainerInfo_DockerInfo_BRIDGE, ""), []string{"1.0.0.1"}},
		{on(mesospb.ContainerInfo_DockerInfo_USER, "other"), []string{"1.0.0.2"}},
		{on(mesospb.ContainerInfo_DockerInfo_USER, "net"), []string{"1.0.0.3"}},
		{on(mesospb.ContainerInfo_DockerInfo_HOST, ""), nil},
		{on(mesospb.ContainerInfo_DockerInfo_BRIDGE, "", "dns", "9.9.9.9"), []string{"9.9.9.9"}},
		{on(mesospb.ContainerInfo_DockerInfo_BRIDGE, "", "dns-search", "x"), nil},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("nameservers %v, want %v", test.got, test.want)
		}
	}
	for _, bad := range []string{"{", `{"docker":[{"network_mode":"HOST","dns":{}}]}`, `{"docker":[{"network_mode":"BRIDGE"}]}`,
		`{"docker":[{"network_mode":"BRIDGE","dns":{}},{"network_mode":"BRIDGE","dns":{}}]}`} {
		if _, err := ParseDefaultDNS(bad); err == nil {
			t.Errorf("no error for %s", bad)
		}
	}
}

func TestRegistryCredentials(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("user:pass:word"))
	for _, test := range []struct{ ref, file, address string }{
		{"registry.example/app:1", `{"auths":{"registry.example":{"auth":"` + auth + `"}}}`, "registry.example"},
		{"registry.example/app:1", `{"https://registry.example/v1/":{"auth":"` + auth + `"}}`, "https://registry.example/v1/"},
		{"app", `{"auths":{"https://index.docker.io/v1/":{"auth":"` + auth + `"}}}`, "https://index.docker.io/v1/"},
		{"other.example/app", `{"auths":{"registry.example":{"auth":"` + auth + `"}}}`, ""},
		{"app", "", ""},
	} {
		encoded, err := registryAuth(test.ref, []byte(test.file))
		if err != nil {
			t.Errorf("%s: %v", test.ref, err)
			continue
		}
		if test.address == "" {
			if encoded != "" {
				t.Errorf("%s: credentials of another registry", test.ref)
			}
			continue
		}
		data, err := base64.URLEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal(data, &got); err != nil || got["username"] != "user" || got["password"] != "pass:word" || got["serveraddress"] != test.address {
			t.Errorf("%s: %v, %v", test.ref, got, err)
		}
	}
	if _, err := registryAuth("app", []byte("{")); err == nil {
		t.Error("a broken file is no error")
	}
}

// FuzzParameters takes any option with any value: an error, never a panic.
func FuzzParameters(f *testing.F) {
	for key := range runOptions {
		f.Add(key, "1:2:3")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if strings.HasSuffix(key, "-file") || key == "security-opt" || key == "expose" || key == "publish" {
			return // reads files; makes as many ports as are asked for
		}
		_, _ = NewOptions(request(parametrised(key, value)))
	})
}

func FuzzRegistryAuth(f *testing.F) {
	f.Add("app", `{"auths":{"docker.io":{"auth":"eA=="}}}`)
	f.Fuzz(func(t *testing.T, ref, file string) { _, _ = registryAuth(ref, []byte(file)) })
}
