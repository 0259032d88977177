package agent

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

func TestDetectedResources(t *testing.T) {
	for _, c := range []struct {
		name, text string
		machine    machine
		want       string
	}{
		{"big machine", "", machine{16, 64 << 10, 500 << 10}, "cpus:16; mem:64512; disk:506880; ports:[31000-32000]"},
		{"small machine", "", machine{1, 1000, 8000}, "cpus:1; mem:500; disk:4000; ports:[31000-32000]"},
		{"just big enough", "", machine{2, 2 << 10, 10 << 10}, "cpus:2; mem:1024; disk:5120; ports:[31000-32000]"},
		{"nothing known", "", machine{0, 0, 0}, "cpus:1; mem:1024; disk:10240; ports:[31000-32000]"},
		{"some given", "cpus:4;mem:4096", machine{16, 64 << 10, 500 << 10}, "cpus:4; mem:4096; disk:506880; ports:[31000-32000]"},
		{"a zero leaves it out", "disk:0;cpus:1;mem:10;ports:[1-2]", machine{16, 64 << 10, 500 << 10}, "cpus:1; mem:10; ports:[1-2]"},
		{"all given", "cpus:4;mem:4096;disk:8192;ports:[31000-31999]", machine{16, 64 << 10, 500 << 10},
			"cpus:4; mem:4096; disk:8192; ports:[31000-31999]"},
	} {
		got, err := agentResources(c.text, "*", c.machine)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	for _, text := range []string{"cpus", "cpus:x", "cpus:-1", "disk:[1-2];disk:3", "[{\"name\":1}]"} {
		if got, err := agentResources(text, "*", machine{1, 1 << 20, 1 << 20}); err == nil {
			t.Errorf("--resources=%s: %s", text, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	list, err := parseAttributes("rack:r1;level:5;range:[1-3,7-9];path:a:b\nx:1.50")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.GetName()+" "+a.GetType().String()+" "+a.GetText().GetValue())
	}
	want := []string{"rack TEXT r1", "level SCALAR ", "range RANGES ", "path TEXT a:b", "x SCALAR "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	for _, text := range []string{"rack", "a:{x,y}"} {
		if _, err := parseAttributes(text); err == nil || !strings.Contains(err.Error(), "--attributes") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func info(t *testing.T, text, attributes string) *mesospb.AgentInfo {
	t.Helper()
	rs, err := resources.Parse(text, "*")
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseAttributes(attributes)
	if err != nil {
		t.Fatal(err)
	}
	return &mesospb.AgentInfo{Hostname: proto.String("h"), Port: proto.Int32(5051), Resources: rs.Proto(), Attributes: list}
}

func TestReconfigurationPolicies(t *testing.T) {
	old := info(t, "cpus:4;mem:100;ports:[1-10]", "rack:r1;slots:[1-4]")
	elsewhere := info(t, "cpus:4;mem:100;ports:[1-10]", "rack:r1;slots:[1-4]")
	elsewhere.Hostname = proto.String("other")
	for _, c := range []struct {
		name            string
		now             *mesospb.AgentInfo
		changed         bool
		equal, additive bool // whether the policy allows it
	}{
		{"the same in another order", info(t, "mem:100;ports:[6-10,1-5];cpus:4", "slots:[1-4];rack:r1"), false, true, true},
		{"more cpus", info(t, "cpus:5;mem:100;ports:[1-10]", "rack:r1;slots:[1-4]"), true, false, true},
		{"more of everything", info(t, "cpus:5;mem:100;ports:[1-12];disk:5", "rack:r1;slots:[1-5];new:x"), true, false, true},
		{"fewer cpus", info(t, "cpus:3;mem:100;ports:[1-10]", "rack:r1;slots:[1-4]"), true, false, false},
		{"fewer ports", info(t, "cpus:4;mem:100;ports:[2-10]", "rack:r1;slots:[1-4]"), true, false, false},
		{"no mem", info(t, "cpus:4;ports:[1-10]", "rack:r1;slots:[1-4]"), true, false, false},
		{"another rack", info(t, "cpus:4;mem:100;ports:[1-10]", "rack:r2;slots:[1-4]"), true, false, false},
		{"no rack", info(t, "cpus:4;mem:100;ports:[1-10]", "slots:[1-4]"), true, false, false},
		{"another host", elsewhere, true, false, false},
	} {
		for policy, allowed := range map[string]bool{"equal": c.equal, "additive": c.additive} {
			changed, err := compatible(policy, old, c.now)
			if (err == nil) != allowed || changed != c.changed {
				t.Errorf("%s, policy %s: changed %v, error %v", c.name, policy, changed, err)
			}
		}
	}
}

func TestConfigurationMistakesSayWhatToDo(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	good := Config{Listener: listener, Master: "127.0.0.1:5050", WorkDir: "/tmp/x"}
	if _, err := good.withDefaults(); err != nil {
		t.Fatal(err)
	}
	for flag, change := range map[string]func(*Config){
		"--work_dir":                        func(c *Config) { c.WorkDir = "" },
		"--master":                          func(c *Config) { c.Master = "" },
		"--recover":                         func(c *Config) { c.Recover = "x" },
		"--reconfiguration_policy":          func(c *Config) { c.ReconfigurationPolicy = "x" },
		"--executor_reregistration_timeout": func(c *Config) { c.ExecutorReregistrationTimeout = time.Minute },
		"--registration_backoff_factor":     func(c *Config) { c.RegistrationBackoffFactor = time.Hour },
		"--gc_disk_headroom":                func(c *Config) { c.GCDiskHeadroom = 2 },
	} {
		c := good
		change(&c)
		if _, err := c.withDefaults(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
