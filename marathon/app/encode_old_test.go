package app_test

import (
	"strings"
	"testing"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/level"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// TestOldLevels has the examples of the facts, section 3.7.
func TestOldLevels(t *testing.T) {
	version, err := timestamp.Parse("2017-04-05T06:07:08.009Z")
	if err != nil {
		t.Fatal(err)
	}
	cmd := func() *app.App {
		return &app.App{
			ID: "/web", Cmd: "sleep 100", Instances: 1, Resources: app.Resources{CPUs: 0.5, Mem: 16},
			PortDefinitions: []app.PortDefinition{{Port: 10000, Protocol: app.TCP, Name: "default"}},
			Networks:        []app.Network{{Mode: app.NetworkHost}},
			Backoff:         app.Backoff{Backoff: time.Second, Factor: 1.15, MaxLaunchDelay: time.Hour},
			UpgradeStrategy: app.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1},
			VersionInfo:     app.NewConfig(version), KillSelection: "YOUNGEST_FIRST", Role: "*",
			UnreachableStrategy: app.UnreachableStrategy{InactiveAfter: 300 * time.Second, ExpungeAfter: 600 * time.Second},
		}
	}
	path, index := "/h", 0
	bridged := cmd()
	bridged.PortDefinitions, bridged.Networks = nil, []app.Network{{Mode: app.NetworkBridge}}
	bridged.Fetch = []app.FetchURI{{URI: "http://h/a.tgz", Extract: true}}
	bridged.Container = &app.Container{
		Type: app.ContainerDocker, Docker: &app.Docker{Image: "nginx"},
		PortMappings: []app.PortMapping{{ContainerPort: 80, HostPort: &index, ServicePort: 10001, Protocol: app.TCP}},
	}
	bridged.HealthChecks = []app.HealthCheck{{
		Protocol: app.HealthHTTP, Path: &path, PortIndex: &index, GracePeriod: 300 * time.Second, Interval: time.Minute,
		Timeout: 20 * time.Second, MaxConsecutiveFailures: 3,
	}}
	alone := cmd()
	alone.Networks, alone.PortDefinitions = []app.Network{{Mode: app.NetworkContainer, Name: "dcos"}}, nil
	const (
		beginning = `{"id":"/web","cmd":"sleep 100","args":null,"user":null,"env":{},"instances":1,"cpus":0.5,`
		backoff   = `"backoffSeconds":1,"backoffFactor":1.15,"maxLaunchDelaySeconds":3600,`
		info      = `"versionInfo":{"lastScalingAt":"2017-04-05T06:07:08.009Z","lastConfigChangeAt":"2017-04-05T06:07:08.009Z"}`
		at        = `"version":"2017-04-05T06:07:08.009Z"`
		mapping   = `"container":{"type":"DOCKER","volumes":[],"docker":{"image":"nginx","network":"BRIDGE","portMappings":[{"containerPort":80,"hostPort":0,"servicePort":10001,"protocol":"tcp"`
		rest14    = `"residency":null,"secrets":{},"taskKillGracePeriodSeconds":null,"unreachableStrategy":{"inactiveAfterSeconds":300,"expungeAfterSeconds":600},"killSelection":"YOUNGEST_FIRST",`
	)
	for _, c := range []struct {
		level string
		app   *app.App
		want  string
	}{
		{"0.8", cmd(), beginning + `"mem":16.0,"disk":0.0,"executor":"","constraints":[],"uris":[],"storeUrls":[],"ports":[10000],"requirePorts":false,` + backoff +
			`"container":null,"healthChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1.0,"maximumOverCapacity":1.0},"labels":{},` + at + `}`},
		{"0.11", cmd(), beginning + `"mem":16.0,"disk":0.0,"executor":"","constraints":[],"uris":[],"storeUrls":[],"ports":[10000],"requirePorts":false,` + backoff +
			`"container":null,"healthChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1.0,"maximumOverCapacity":1.0},"labels":{},"acceptedResourceRoles":null,` + at + `,` + info + `}`},
		{"0.13", bridged, beginning + `"mem":16,"disk":0,"executor":"","constraints":[],"uris":["http://h/a.tgz"],"storeUrls":[],"ports":[10001],"requirePorts":false,` + backoff +
			mapping + `}],"privileged":false,"parameters":[],"forcePullImage":false}},"healthChecks":[{"path":"/h","protocol":"HTTP","portIndex":0,"gracePeriodSeconds":300,"intervalSeconds":60,"timeoutSeconds":20,"maxConsecutiveFailures":3,"ignoreHttp1xx":false}],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{},"acceptedResourceRoles":null,` + at + `,` + info + `}`},
		{"1.1", cmd(), beginning + `"mem":16,"disk":0,"executor":"","constraints":[],"uris":[],"fetch":[],"storeUrls":[],"ports":[10000],"portDefinitions":[{"port":10000,"protocol":"tcp","name":"default","labels":{}}],"requirePorts":false,` + backoff +
			`"container":null,"healthChecks":[],"readinessChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{},"acceptedResourceRoles":null,"ipAddress":null,` + at + `,"residency":null,` + info + `}`},
		{"1.4.13", cmd(), beginning + `"mem":16,"disk":0,"gpus":0,"executor":"","constraints":[],"uris":[],"fetch":[],"storeUrls":[],` + backoff +
			`"container":null,"healthChecks":[],"readinessChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{},"ipAddress":null,` + at + `,` + rest14 +
			`"ports":[10000],"portDefinitions":[{"port":10000,"protocol":"tcp","name":"default","labels":{}}],"requirePorts":false,` + info + `}`},
		{"1.4", bridged, beginning + `"mem":16,"disk":0,"gpus":0,"executor":"","constraints":[],"uris":["http://h/a.tgz"],"fetch":[{"uri":"http://h/a.tgz","extract":true,"executable":false,"cache":false}],"storeUrls":[],` + backoff +
			mapping + `,"labels":{}}],"privileged":false,"parameters":[],"forcePullImage":false}},"healthChecks":[{"gracePeriodSeconds":300,"intervalSeconds":60,"timeoutSeconds":20,"maxConsecutiveFailures":3,"portIndex":0,"path":"/h","protocol":"HTTP","ignoreHttp1xx":false}],"readinessChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{},"ipAddress":null,` + at + `,` + rest14 +
			`"ports":[10001],"portDefinitions":[{"port":10001,"protocol":"tcp","labels":{}}],"requirePorts":false,` + info + `}`},
		{"1.4", alone, beginning + `"mem":16,"disk":0,"gpus":0,"executor":"","constraints":[],"uris":[],"fetch":[],"storeUrls":[],` + backoff +
			`"container":null,"healthChecks":[],"readinessChecks":[],"dependencies":[],"upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"labels":{},"ipAddress":{"groups":[],"labels":{},"discovery":{"ports":[]},"networkName":"dcos"},` + at + `,` + rest14 + info + `}`},
		{"1.5", cmd(), `{"id":"/web","backoffFactor":1.15,"backoffSeconds":1,"cmd":"sleep 100","cpus":0.5,"disk":0,"executor":"","instances":1,"labels":{},"maxLaunchDelaySeconds":3600,"mem":16,"gpus":0,"networks":[{"mode":"host"}],"portDefinitions":[{"port":10000,"name":"default","protocol":"tcp"}],"requirePorts":false,"upgradeStrategy":{"maximumOverCapacity":1,"minimumHealthCapacity":1},` + at + `,` + info + `,"killSelection":"YOUNGEST_FIRST","unreachableStrategy":{"inactiveAfterSeconds":300,"expungeAfterSeconds":600}}`},
	} {
		release, err := level.Parse(c.level)
		if err != nil {
			t.Fatal(err)
		}
		got := string(c.app.AppendAt(nil, playjson.StyleAt(release, playjson.Jackson), release))
		if got != c.want {
			t.Errorf("level %s:\n%s, want\n%s", c.level, got, c.want)
		}
	}
	for text, want := range map[string]string{"1.9.81": `"role":"*"}`, "1.9.100": `"cpus":0.5,"disk":0.0,`} {
		release, _ := level.Parse(text)
		got := string(cmd().AppendAt(nil, playjson.StyleAt(release, playjson.Jackson), release))
		if !strings.Contains(got, want) {
			t.Errorf("level %s: %s has no %s", text, got, want)
		}
	}
}
