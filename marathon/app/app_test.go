package app

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

const t0Text = "2021-02-03T04:05:06.007Z"

var t0 = func() timestamp.Timestamp {
	at, err := timestamp.Parse(t0Text)
	if err != nil {
		panic(err)
	}
	return at
}()

func plainSettings() *Settings {
	return &Settings{MesosBridgeName: "mesos-bridge", Roles: Roles{Default: "*", Valid: []string{"*"}}}
}

func create(t *testing.T, text string) *App {
	t.Helper()
	a, err := Create([]byte(text), id.Root, plainSettings(), t0)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func broken(text string, s *Settings) []Violation {
	_, err := Create([]byte(text), id.Root, s, t0)
	var validation *ValidationError
	var read *ReadError
	switch {
	case errors.As(err, &validation):
		return validation.Violations
	case errors.As(err, &read):
		return append([]Violation{{"", "(read)"}}, read.Violations...)
	case err != nil:
		return []Violation{{"", err.Error()}}
	}
	return nil
}

func TestMinimalAppIsCompletedWithDefaults(t *testing.T) {
	a := create(t, `{"id":"/web","cmd":"sleep 100"}`)
	rest := `{"id":"/web","backoffFactor":1.15,"backoffSeconds":1,"cmd":"sleep 100","cpus":1.0,"disk":0.0,"executor":"","instances":1,"labels":{},"maxLaunchDelaySeconds":300,"mem":128.0,"gpus":0,"networks":[{"mode":"host"}],"portDefinitions":[{"port":0,"name":"default","protocol":"tcp"}],"requirePorts":false,"upgradeStrategy":{"maximumOverCapacity":1.0,"minimumHealthCapacity":1.0},"version":"2021-02-03T04:05:06.007Z","killSelection":"YOUNGEST_FIRST","unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0},"role":"*"}`
	if got := string(a.Append(nil, playjson.Jackson)); got != rest {
		t.Errorf("REST\n got %s\nwant %s", got, rest)
	}
	event := strings.NewReplacer(`"cpus":1.0`, `"cpus":1`, `"disk":0.0`, `"disk":0`, `128.0`, `128`, `:1.0}`, `:1}`, `:1.0,`, `:1,`).Replace(rest)
	if got := string(a.Append(nil, playjson.Play)); got != event {
		t.Errorf("event\n got %s\nwant %s", got, event)
	}
	a.VersionInfo = NewConfig(t0)
	if got := string(a.Append(nil, playjson.Jackson)); !strings.Contains(got, `,"versionInfo":{"lastScalingAt":"`+t0Text+`","lastConfigChangeAt":"`+t0Text+`"},"killSelection"`) {
		t.Errorf("version info: %s", got)
	}
}

func TestOldShapesBecomeTodays(t *testing.T) {
	docker := `"docker":{"forcePullImage":false,"image":"nginx","parameters":[],"privileged":false},"volumes":[]`
	defaultMapping := `"portMappings":[{"containerPort":0,"labels":{},"name":"default","protocol":"tcp","servicePort":0}]`
	for _, c := range []struct {
		name, in string
		has      []string
		lacks    []string
	}{
		{
			"docker bridge", `{"id":"/b","container":{"type":"DOCKER","docker":{"image":"nginx","network":"BRIDGE","portMappings":[{"containerPort":80}]}}}`,
			[]string{`"container":{"type":"DOCKER",` + docker + `,"portMappings":[{"containerPort":80,"hostPort":0,"labels":{},"protocol":"tcp","servicePort":0}]}`, `"networks":[{"mode":"container/bridge"}]`},
			[]string{"portDefinitions"},
		},
		{
			"docker host drops mappings", `{"id":"/h","container":{"type":"DOCKER","docker":{"image":"nginx","network":"HOST","portMappings":[{"containerPort":80}]}}}`,
			[]string{`"container":{"type":"DOCKER",` + docker + `}`, `"networks":[{"mode":"host"}]`, `"portDefinitions":[{"port":0,"name":"default","protocol":"tcp"}]`},
			[]string{"portMappings"},
		},
		{
			"docker user with name", `{"id":"/u","container":{"type":"DOCKER","docker":{"image":"nginx","network":"USER"}},"ipAddress":{"networkName":"blue","labels":{"a":"b"}}}`,
			[]string{`"networks":[{"name":"blue","mode":"container","labels":{"a":"b"}}]`, defaultMapping}, []string{"portDefinitions", "ipAddress"},
		},
		{
			"ipAddress alone makes a MESOS container", `{"id":"/i","cmd":"run it","ipAddress":{"networkName":"blue","discovery":{"ports":[{"number":80,"name":"http","protocol":"tcp"}]}}}`,
			[]string{`"container":{"type":"MESOS","volumes":[],"portMappings":[{"containerPort":80,"labels":{},"name":"http","protocol":"tcp","servicePort":0}]}`, `"networks":[{"name":"blue","mode":"container"}]`},
			nil,
		},
		{
			"ipAddress on the bridge", `{"id":"/i","cmd":"run it","ipAddress":{"networkName":"mesos-bridge"}}`,
			[]string{`"networks":[{"mode":"container/bridge"}]`, `"portMappings":[{"containerPort":0,"hostPort":0,"labels":{},"name":"default","protocol":"tcp","servicePort":0}]`}, nil,
		},
		{
			"uris", `{"id":"/u","cmd":"run it","uris":["http://f/a.tgz","http://f/b.txt"]}`,
			[]string{`"fetch":[{"uri":"http://f/a.tgz","extract":true,"executable":false,"cache":false},{"uri":"http://f/b.txt","extract":false,"executable":false,"cache":false}]`}, []string{"uris"},
		},
		{"fetch extracts by default", `{"id":"/u","cmd":"run it","fetch":[{"uri":"http://f/b.txt"}]}`, []string{`"fetch":[{"uri":"http://f/b.txt","extract":true,"executable":false,"cache":false}]`}, nil},
		{"ports", `{"id":"/p","cmd":"run it","ports":[8080,0]}`, []string{`"portDefinitions":[{"port":8080,"protocol":"tcp"},{"port":0,"protocol":"tcp"}]`}, []string{`"ports"`}},
		{"no ports at all", `{"id":"/p","cmd":"run it","ports":[]}`, []string{`"portDefinitions":[]`}, nil},
		{"equal ports twice", `{"id":"/p","cmd":"run it","ports":[80],"portDefinitions":[{"port":80,"name":"x"}]}`, []string{`"portDefinitions":[{"port":80,"name":"x","protocol":"tcp"}]`}, nil},
		{"network without mode", `{"id":"/n","cmd":"run it","networks":[{"name":"blue"}]}`, []string{`"networks":[{"name":"blue","mode":"container"}]`, `"container":{"type":"MESOS","volumes":[],` + defaultMapping + `}`}, nil},
		{
			"surplus port definitions become mappings", `{"id":"/s","container":{"type":"DOCKER","docker":{"image":"nginx","network":"BRIDGE","portMappings":[{"containerPort":80}]}},"portDefinitions":[{"port":1},{"port":2}]}`,
			[]string{`"portMappings":[{"containerPort":80,"hostPort":0,"labels":{},"protocol":"tcp","servicePort":0},{"containerPort":0,"hostPort":0,"labels":{},"protocol":"tcp","servicePort":0}]`}, nil,
		},
		{"explicit empty mappings stay", `{"id":"/e","container":{"type":"DOCKER","docker":{"image":"nginx"},"portMappings":[]},"networks":[{"mode":"container/bridge"}]}`, []string{`"portMappings":[]`}, nil},
		{"requirePorts means nothing outside host mode", `{"id":"/r","container":{"type":"DOCKER","docker":{"image":"nginx"}},"networks":[{"mode":"container/bridge"}],"requirePorts":true}`, []string{`"requirePorts":false`}, nil},
		{"health check gets its index", `{"id":"/c","cmd":"run it","portDefinitions":[{"port":0}],"healthChecks":[{"path":"/x","ignoreHttp1xx":true,"delaySeconds":3,"ipProtocol":"IPv4"}]}`, []string{`"healthChecks":[{"gracePeriodSeconds":300,"ignoreHttp1xx":false,"intervalSeconds":60,"maxConsecutiveFailures":3,"path":"/x","portIndex":0,"protocol":"HTTP","ipProtocol":"IPv4","timeoutSeconds":20,"delaySeconds":15}]`}, nil},
		{"health check without ports keeps none", `{"id":"/c","cmd":"run it","healthChecks":[{}]}`, []string{`"maxConsecutiveFailures":3,"protocol":"HTTP"`}, nil},
		{"command check", `{"id":"/c","cmd":"run it","healthChecks":[{"protocol":"COMMAND","command":{"value":"true"},"portIndex":0}]}`, []string{`"healthChecks":[{"command":{"value":"true"},"gracePeriodSeconds":300,"intervalSeconds":60,"maxConsecutiveFailures":3,"protocol":"COMMAND","ipProtocol":"IPv4","timeoutSeconds":20,"delaySeconds":15}]`}, nil},
		{"relative id and dependencies", `{"id":"a/../web","cmd":"run it","dependencies":["db","/x/../y","db"]}`, []string{`"id":"/web"`, `"dependencies":["/db","/y"]`}, nil},
		{"literals in any case", `{"id":"/k","cmd":"run it","killSelection":"oldest_first"}`, []string{`"killSelection":"OLDEST_FIRST"`}, nil},
		{"unreachable by any word", `{"id":"/k","cmd":"run it","unreachableStrategy":"never"}`, []string{`"unreachableStrategy":"disabled"`}, nil},
		{"output comes back in", `{"id":"/k","cmd":"run it","version":"` + t0Text + `","versionInfo":{"lastScalingAt":"` + t0Text + `","lastConfigChangeAt":"` + t0Text + `"},"tasksRunning":3,"tasks":[],"deployments":[{"id":"x"}]}`, []string{`"id":"/k"`}, nil},
		{"null is absence", `{"id":"/k","cmd":"run it","args":null,"container":null,"user":null,"env":null,"instances":null}`, []string{`"instances":1`}, []string{"args", "user", `"env"`}},
		{"volumes", `{"id":"/v","cmd":"run it","container":{"type":"MESOS","volumes":[{"containerPath":"/a","hostPath":"/b","mode":"ro"}]}}`, []string{`"container":{"type":"MESOS","volumes":[{"containerPath":"/a","hostPath":"/b","mode":"RO"}]}`}, nil},
		{"limits", `{"id":"/v","cmd":"run it","resourceLimits":{"cpus":"unlimited","mem":256}}`, []string{`"resourceLimits":{"cpus":"unlimited","mem":256.0}`}, nil},
		{"constraints", `{"id":"/v","cmd":"run it","constraints":[["hostname","UNIQUE"],["rack","GROUP_BY","3"],["hostname","UNIQUE"]]}`, []string{`"constraints":[["hostname","UNIQUE"],["rack","GROUP_BY","3"]]`}, nil},
		{"check", `{"id":"/v","cmd":"run it","check":{"exec":{"command":{"argv":["a","b"]}}}}`, []string{`"check":{"exec":{"command":{"argv":["a","b"]}},"intervalSeconds":60,"timeoutSeconds":20,"delaySeconds":15}`}, nil},
		{"readiness", `{"id":"/v","cmd":"run it","portDefinitions":[{"name":"http-api"}],"readinessChecks":[{}]}`, []string{`"readinessChecks":[{"name":"readinessCheck","protocol":"HTTP","path":"/","portName":"http-api","intervalSeconds":30,"timeoutSeconds":10,"httpStatusCodesForReady":[200],"preserveLastResponse":false}]`}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := string(create(t, c.in).Append(nil, playjson.Jackson))
			for _, want := range c.has {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %s\n%s", want, got)
				}
			}
			for _, unwanted := range c.lacks {
				if strings.Contains(got, unwanted) {
					t.Errorf("has %s\n%s", unwanted, got)
				}
			}
		})
	}
}

func TestBadDefinitionsGetTheOriginalsTexts(t *testing.T) {
	const read = "(read)"
	portIndex := "Health check port indices must address an element of the ports array or container port mappings."
	for _, c := range []struct {
		in   string
		want []Violation
	}{
		{`{"id":"/web2"}`, []Violation{{"/", needsCommand}}},
		{`{"id":"/web2","cmd":"a b","args":["a"]}`, []Violation{{"/", needsCommand}}},
		{`{"id":"/Web","cmd":"sleep 1"}`, []Violation{{"", read}, {"/id", "error.pattern"}}},
		{`{"cmd":"sleep 1"}`, []Violation{{"", read}, {"/id", `'id' is undefined on object: {"cmd":"sleep 1"}`}}},
		{`{"idd":"basic1","cpus":0.1,"mem":10.0,"instances":1}`, []Violation{{"", read}, {"/id", `'id' is undefined on object: {"idd":"basic1","cpus":0.1,"mem":10,"instances":1}`}}},
		{`{"id":"","cmd":"sleep 1"}`, []Violation{{"", read}, {"/id", "error.minLength"}}},
		{`{"id":7,"cmd":"sleep 1"}`, []Violation{{"", read}, {"/id", "error.expected.jsstring"}}},
		{`[1]`, []Violation{{"", read}, {"/id", "[1] is not an object"}}},
		{`{"id":"/a","cmd":"sleep 1","instances":"2"}`, []Violation{{"", read}, {"/instances", "error.expected.jsnumber"}}},
		{`{"id":"/a","cmd":"sleep 1","instances":1.5}`, []Violation{{"", read}, {"/instances", "error.expected.int"}}},
		{`{"id":"/a","cmd":"sleep 1","instances":-1}`, []Violation{{"", read}, {"/instances", "error.min"}}},
		{`{"id":"/a","cmd":"sleep 1","instances":3000000000}`, []Violation{{"", read}, {"/instances", "error.expected.int"}}},
		{`{"id":"/a","cmd":"x"}`, []Violation{{"/", "must not be an empty string"}}},
		{`{"id":"/a","cmd":""}`, []Violation{{"", read}, {"/cmd", "error.minLength"}}},
		{`{"id":"/a/restart","cmd":"sleep 1"}`, []Violation{{"/id", "must not end with any of the following reserved keywords: restart, tasks, versions, ., .."}}},
		{`{"id":"` + strings.Repeat("/a", 257) + `","cmd":"sleep 1"}`, []Violation{{"/id", "must not have more than 256 path elements"}}},
		{`{"id":"/","cmd":"sleep 1"}`, []Violation{{"/id", "Path must contain at least one path element"}, {"/", "must not be root"}}},
		{`{"id":"/a","cmd":"sleep 1","ports":[8080,8080]}`, []Violation{{"/", "ports must be unique"}}},
		{`{"id":"/a","cmd":"sleep 1","ports":[80],"portDefinitions":[{"port":81}]}`, []Violation{{"/", "cannot specify both ports and port definitions"}}},
		{`{"id":"/a","cmd":"sleep 1","portDefinitions":[{"port":70000},{"port":-1}]}`, []Violation{{"", read}, {"/portDefinitions(0)/port", "error.max"}, {"/portDefinitions(1)/port", "error.min"}}},
		{`{"id":"/a","cmd":"sleep 1","portDefinitions":[{"port":1,"name":"a"},{"port":1,"name":"a"}]}`, []Violation{{"/portDefinitions", "Port names must be unique."}, {"/portDefinitions", "Ports must be unique."}}},
		{`{"id":"/a","cmd":"sleep 1","container":{"type":"DOCKER"}}`, []Violation{{"/container/docker", "not defined"}}},
		{`{"id":"/a","container":{"type":"DOCKER"}}`, []Violation{{"/container/docker", "not defined"}, {"/", needsCommand}}},
		{`{"id":"/a","container":{"docker":{}}}`, []Violation{{"", read}, {"/container/docker/image", "'image' is undefined on object: {}"}}},
		{`{"id":"/a","container":{"type":"MESOS","docker":{"image":"a","network":"BRIDGE","portMappings":[]}}}`, []Violation{{"/container/docker/network", "must be empty"}, {"/container/docker/portMappings", "must be empty"}}},
		{`{"id":"/a","cmd":"sleep 1","healthChecks":[{"protocol":"HTTP","portIndex":3}]}`, []Violation{{"/healthChecks(0)", portIndex}}},
		{`{"id":"/a","cmd":"sleep 1","healthChecks":[{"protocol":"ICMP"}]}`, []Violation{{"", read}, {"/healthChecks(0)/protocol", "error.unknown.enum.literal"}}},
		{`{"id":"/a","cmd":"sleep 1","healthChecks":[{"protocol":"COMMAND","command":{}}]}`, []Violation{{"", read}, {"/healthChecks(0)/command/value", "error.path.missing"}}},
		{`{"id":"/a","cmd":"sleep 1","healthChecks":[{"protocol":"COMMAND"}]}`, []Violation{{"", "illegal protocol COMMAND for non-command health check"}}},
		{`{"id":"/a","cmd":"sleep 1","constraints":[["hostname","SIDEWAYS"]]}`, []Violation{{"/constraints(0)", "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"}}},
		{`{"id":"/a","cmd":"sleep 1","constraints":[["hostname"],["","UNIQUE"],["a","UNIQUE","b"],["a","MAX_PER"],["a","LIKE","("],["a","GROUP_BY","x"],["a","LIKE"],["a","IS","a b"]]}`, []Violation{
			{"/constraints(0)", "Each constraint must have either 2 or 3 fields"}, {"/constraints(1)", "illegal constraint specification"},
			{"/constraints(2)", "UNIQUE does not accept a value"}, {"/constraints(3)", "MAX_PER requires an integer value"},
			{"/constraints(4)", "is not a valid regular expression"}, {"/constraints(5)", "GROUP BY must define an integer value or else no value at all"},
			{"/constraints(6)", "LIKE and UNLIKE require a non-empty, regular expression value"},
			{"/constraints(7)", "IS only supports Mesos text and float values (see http://mesos.apache.org/documentation/latest/attributes-resources/)"},
		}},
		{`{"id":"/a","cmd":"sleep 1","networks":[{"mode":"container"}]}`, []Violation{{"/networks", "Network name must be specified when container network is selected."}}},
		{`{"id":"/a","cmd":"sleep 1","networks":[{"mode":"host","name":"x"},{"mode":"container/bridge","name":"y"}]}`, []Violation{
			{"/networks", "Host networks may not have names or labels"}, {"/networks", "Bridge networks may not have names"},
			{"/networks", "May specify a single host network, single bridge network, or else 1-to-n container networks"},
		}},
		{`{"id":"/a","cmd":"sleep 1","upgradeStrategy":{"minimumHealthCapacity":1.2}}`, []Violation{{"", read}, {"/upgradeStrategy/maximumOverCapacity", `'maximumOverCapacity' is undefined on object: {"minimumHealthCapacity":1.2}`}, {"/upgradeStrategy/minimumHealthCapacity", "error.max"}}},
		{`{"id":"/a","cmd":"sleep 1","labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"instances":2,"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":1}}`, []Violation{{"/", "Single instance app may only have one instance"}, {"/upgradeStrategy/maximumOverCapacity", "got 1.0, expected 0.0"}}},
		{`{"id":"/a","cmd":"sleep 1","unreachableStrategy":{"inactiveAfterSeconds":2,"expungeAfterSeconds":1}}`, []Violation{{"/unreachableStrategy/inactiveAfterSeconds", "inactiveAfterSeconds (2) must be less or equal to expungeAfterSeconds, which is 1"}}},
		{`{"id":"/a","cmd":"sleep 1","gpus":1}`, []Violation{{"/", "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)"}}},
		{`{"id":"/a","cmd":"sleep 1","resourceLimits":{"mem":64,"cpus":"Infinity"},"mem":256}`, []Violation{{"/resourceLimits/cpus", "'Infinity' is an invalid resource limit. It must be 'unlimited' or a number"}, {"/resourceLimits/mem", "resource limit must be greater than or equal to requested resource (256.0)"}}},
		{`{"id":"/a","cmd":"sleep 1","uris":["http://a b"],"fetch":[{"uri":"x"}]}`, []Violation{{"/uris(0)", badURI}, {"/uris", "may not be set in conjunction with fetch"}}},
		{`{"id":"/a","cmd":"sleep 1","fetch":[{"uri":"ok"},{"uri":"http://%"}]}`, []Violation{{"/fetch(1)/uri", badURI}}},
		{`{"id":"/a","cmd":"sleep 1","env":{"":"x","A":{"secret":"s"},"B":7}}`, []Violation{{"", read}, {"/env/B", "error.expected.jsobject"}}},
		{`{"id":"/a","cmd":"sleep 1","env":{"":"x","A":{"secret":"s"}}}`, []Violation{{"/env/keys(0)", "must not be empty"}, {"/env", "use of secret-references in the environment requires the secrets feature to be enabled"}, {"/env/A/secret", "references an undefined secret"}}},
		{`{"id":"/a","cmd":"sleep 1","secrets":{"s":{"source":"x"}}}`, []Violation{{"/secrets", "Feature secrets is not enabled. Enable with --enable_features secrets)"}}},
		{`{"id":"/a","cmd":"sleep 1","role":"other"}`, []Violation{{"/role", "got other, expected one of: [*]"}}},
		{`{"id":"/a","cmd":"sleep 1","acceptedResourceRoles":["*","prod"]}`, []Violation{{"/acceptedResourceRoles", "acceptedResourceRoles can only contain *"}}},
		{`{"id":"/a","cmd":"sleep 1","acceptedResourceRoles":[]}`, []Violation{{"/acceptedResourceRoles", "must not be empty"}}},
		{`{"id":"/a","cmd":"sleep 1","container":{"type":"MESOS","volumes":[{"containerPath":"/a/b","persistent":{"size":0},"mode":"RW"}]}}`, []Violation{{"/container/volumes(0)/containerPath", `value must not contain "/"`}, {"/container/volumes(0)/persistent/size", "got 0, expected more than 0"}}},
		{`{"id":"/a","cmd":"sleep 1","container":{"type":"MESOS","volumes":[{"containerPath":"a","persistent":{"size":1},"mode":"RW"}]}}`, []Violation{{"/role", "Resident apps cannot have the role *"}}},
		{`{"id":"/a","cmd":"sleep 1","container":{"type":"MESOS","volumes":[{"containerPath":"a","persistent":{},"mode":"RW"}]}}`, []Violation{{"", read}, {"/container/volumes(0)/hostPath", `'hostPath' is undefined on object: {"containerPath":"a","persistent":{},"mode":"RW"}`}}},
		{`{"id":"/a","cmd":"sleep 1","readinessChecks":[{"timeoutSeconds":30}]}`, []Violation{{"/readinessChecks(0)/portName", "No port definition reference for portName http-api"}, {"/readinessChecks(0)/timeoutSeconds", "got 30, expected less than 30"}}},
		{`{"id":"/a","cmd":"sleep 1","version":"yesterday"}`, []Violation{{"", read}, {"/version", "error.expected.date.isoformat"}}},
		{`{"id":"/a","cmd":"sleep 1","dependencies":["/A"]}`, []Violation{{"/dependencies(0)", badSegment}}},
		{`{"id":"/a","cmd":"sleep 1","backoffFactor":0.5,"cpus":"1","mem":-1}`, []Violation{{"", read}, {"/backoffFactor", "error.min"}, {"/cpus", "error.expected.jsnumber"}, {"/mem", "error.min"}}},
		{`{"id":"/a","cmd":"sleep 1","executor":"//a"}`, []Violation{{"", read}, {"/executor", "error.pattern"}}},
		{`{"id":"/a","cmd":"sleep 1","check":{"tcp":{"portIndex":4}}}`, []Violation{{"/check", "check port index must address an element of the ports array or container port mappings."}}},
		{`{"id":"/a","container":{"type":"MESOS","docker":{"image":"x"},"linuxInfo":{"seccomp":{"unconfined":false},"ipcInfo":{"mode":"SHARE_PARENT","shmSize":3}}}}`, []Violation{{"/container/linuxInfo/seccomp", "Seccomp unconfined must be true when Profile is NOT defined"}, {"/container/linuxInfo/ipcInfo", "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT"}}},
		{`{"id":"/a","container":{"docker":{"image":"x","portMappings":[{}]},"portMappings":[{}]}}`, []Violation{{"", "cannot specify both portMappings and docker.portMappings"}}},
		{`{"id":"/a","container":{"docker":{"image":"x","network":"NONE"}}}`, []Violation{{"", "unsupported docker network type NONE"}}},
		{`{"id":"/a","container":{"docker":{"image":"x","network":"BRIDGE"}},"networks":[{"mode":"host"}]}`, []Violation{{"/", "must not specify both container.docker.network and networks"}}},
	} {
		if got := broken(c.in, plainSettings()); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\n got %v\nwant %v", c.in, got, c.want)
		}
	}
}

func update(t *testing.T, old *App, text string) (*App, error) {
	t.Helper()
	document, err := playjson.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	definition, err := ReadUpdate(&document)
	if err != nil {
		return nil, err
	}
	if definition, err = definition.NormaliseUpdate(id.Root, plainSettings()); err != nil {
		return nil, err
	}
	return definition.Update(old, plainSettings())
}

func TestPartialUpdateReplacesWholeKeys(t *testing.T) {
	old := create(t, `{"id":"/web","cmd":"sleep 100","env":{"A":"1","B":"2"},"labels":{"x":"y"},"executorResources":{"cpus":0.5},"resourceLimits":{"cpus":2},"healthChecks":[{"protocol":"TCP","port":80}]}`)
	old.VersionInfo = NewConfig(t0)
	now, err := update(t, old, `{"instances":3,"env":{"C":"3"},"labels":{},"cmd":null}`)
	if err != nil {
		t.Fatal(err)
	}
	got := string(now.Append(nil, playjson.Jackson))
	for _, want := range []string{`"instances":3`, `"env":{"C":"3"}`, `"labels":{}`, `"cmd":"sleep 100"`, `"versionInfo"`, `"protocol":"TCP"`} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s: %s", want, got)
		}
	}
	for _, gone := range []string{"executorResources", "resourceLimits"} {
		if strings.Contains(got, gone) {
			t.Errorf("kept %s: %s", gone, got)
		}
	}
	if !old.IsUpgrade(now) {
		t.Error("another environment is no upgrade")
	}
	same, err := update(t, old, `{"executorResources":{"cpus":0.5},"resourceLimits":{"cpus":2}}`)
	if err != nil || old.IsUpgrade(same) || !old.SameDefinition(same) {
		t.Errorf("an update with what is there changed something (%v): %s", err, same.Append(nil, playjson.Jackson))
	}
	scaled, err := update(t, same, `{"instances":9,"executorResources":{"cpus":0.5},"resourceLimits":{"cpus":2}}`)
	if err != nil || !old.IsOnlyScaleChange(scaled) {
		t.Errorf("scaling is more than scaling: %v", err)
	}
}

func TestUpdateMovesToABridge(t *testing.T) {
	old := create(t, `{"id":"/web","cmd":"sleep 100"}`)
	now, err := update(t, old, `{"container":{"docker":{"image":"nginx","network":"BRIDGE","portMappings":[{"containerPort":80}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	got := string(now.Append(nil, playjson.Jackson))
	for _, want := range []string{`"hostPort":0`, `"networks":[{"mode":"container/bridge"}]`} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s: %s", want, got)
		}
	}
}

func TestVersionStandsAloneInAnUpdate(t *testing.T) {
	old := create(t, `{"id":"/web","cmd":"sleep 100"}`)
	_, err := update(t, old, `{"version":"`+t0Text+`","cmd":"x y"}`)
	var validation *ValidationError
	if !errors.As(err, &validation) || !reflect.DeepEqual(validation.Violations, []Violation{{"/", "The 'version' field may only be combined with the 'id' field."}}) {
		t.Errorf("got %v", err)
	}
}

func TestPersistentVolumesChangeTheDefaults(t *testing.T) {
	s := &Settings{Roles: Roles{Default: "prod", Valid: []string{"prod"}}}
	a, err := Create([]byte(`{"id":"/db","cmd":"run it","container":{"type":"MESOS","volumes":[{"containerPath":"data","persistent":{"size":100},"mode":"RW"}]}}`), id.Root, s, t0)
	if err != nil {
		t.Fatal(err)
	}
	got := string(a.Append(nil, playjson.Jackson))
	for _, want := range []string{
		`"volumes":[{"containerPath":"data","persistent":{"type":"root","size":100,"constraints":[]},"mode":"RW"}]`,
		`"residency":{"relaunchEscalationTimeoutSeconds":3600,"taskLostBehavior":"WAIT_FOREVER"}`,
		`"upgradeStrategy":{"maximumOverCapacity":0.0,"minimumHealthCapacity":0.5}`, `"unreachableStrategy":"disabled"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s: %s", want, got)
		}
	}
}

func TestStorageKeepsEverything(t *testing.T) {
	a := create(t, `{"id":"/web","args":["a","b"],"user":"","env":{"Z":"1","A":"2"},"container":{"docker":{"image":"nginx","parameters":[{"key":"k","value":"v"}]},"portMappings":[{"containerPort":80,"hostPort":0,"labels":{"a":"b"}}]},"networks":[{"mode":"container/bridge","labels":{"l":"m"}}],"resourceLimits":{"cpus":"unlimited"},"healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0,"path":"/"}],"taskKillGracePeriodSeconds":5,"tty":false,"dependencies":["/x"]}`)
	a.VersionInfo = NewConfig(t0)
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back App
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if a.NeedsRestart(&back) || !a.SameDefinition(&back) {
		t.Errorf("changed by storage: %s", text)
	}
	if before, after := string(a.Append(nil, playjson.Jackson)), string(back.Append(nil, playjson.Jackson)); before != after {
		t.Errorf("\n%s\n%s", before, after)
	}
}

func FuzzCreate(f *testing.F) {
	for _, seed := range []string{
		`{"id":"/web","cmd":"sleep 100"}`,
		`{"id":"/b","container":{"type":"DOCKER","docker":{"image":"nginx","network":"BRIDGE","portMappings":[{"containerPort":80}]}}}`,
		`{"id":"/i","cmd":"run it","ipAddress":{"networkName":"blue","discovery":{"ports":[{"number":80,"name":"http"}]}}}`,
		`{"id":"/c","cmd":"ab","healthChecks":[{"protocol":"COMMAND","command":{"value":"true"}}],"constraints":[["a","LIKE","x"]],"uris":["http://x/y.tgz"]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Create([]byte(text), id.Root, plainSettings(), t0)
		for _, old := range []string{"ipAddress", "uris", "ports"} {
			if err != nil || strings.Contains(text, old) {
				// The reader judges single values only where they stand today.
				return
			}
		}
		// What is printed is taken back. It is the same from the second time on: a health
		// check gets its port index only where port definitions are spelled out.
		printed := a.Append(nil, playjson.Jackson)
		for range 2 {
			again, err := Create(printed, id.Root, plainSettings(), t0)
			if err != nil {
				t.Fatalf("%s is refused: %v", printed, err)
			}
			a, printed = again, again.Append(nil, playjson.Jackson)
		}
		last := create(t, string(printed))
		if text := last.Append(nil, playjson.Jackson); string(text) != string(printed) || a.IsUpgrade(last) {
			t.Fatalf("\n%s\n%s", printed, text)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	for _, seed := range []string{
		`{"instances":3}`, `{"container":{"docker":{"image":"nginx","network":"BRIDGE"}},"ipAddress":{}}`, `{"networks":[{}],"ports":[1],"uris":["a"]}`,
		`{"healthChecks":[{"command":{"value":"x"},"protocol":"COMMAND"}],"constraints":[["a","IS","b"]],"upgradeStrategy":{"maximumOverCapacity":0,"minimumHealthCapacity":1}}`,
		`{"container":{"type":"MESOS","volumes":[{"containerPath":"a","persistent":{"size":1},"mode":"RW"}]},"residency":{},"role":"prod","resourceLimits":{"cpus":"unlimited"}}`,
	} {
		f.Add(seed)
	}
	s := &Settings{Features: []string{"secrets", "external_volumes"}, DefaultNetworkName: "net", Roles: Roles{Default: "prod", Valid: []string{"*", "prod"}}}
	old, err := Create([]byte(`{"id":"/web","cmd":"sleep 1","env":{"A":"1"}}`), id.Root, s, t0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		document, err := playjson.Parse([]byte(text))
		if err != nil {
			return
		}
		definition, err := ReadUpdate(&document)
		if err != nil {
			return
		}
		if definition, err = definition.NormaliseUpdate(id.Root, s); err != nil {
			return
		}
		if fresh, err := definition.CreateFromUpdate("/new", s, t0); err == nil && fresh.ID != "/new" {
			t.Fatalf("created %s", fresh.ID)
		}
		now, err := definition.Update(old, s)
		if err != nil {
			return
		}
		// The same update again changes nothing more.
		again, err := definition.Update(now, s)
		if err != nil || !now.SameDefinition(again) {
			t.Fatalf("%v\n%s\n%s", err, now.Append(nil, playjson.Jackson), again.Append(nil, playjson.Jackson))
		}
	})
}
