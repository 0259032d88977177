package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/core"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// busySnapshot is the state that GET_STATE showed in the recording.
func busySnapshot(t *testing.T, list []exchange) *core.Snapshot {
	t.Helper()
	i := slices.IndexFunc(list, func(e exchange) bool { return e.Request == "GET_STATE (protobuf)" })
	if i < 0 {
		t.Fatal("no GET_STATE recorded")
	}
	data, err := hex.DecodeString(list[i].AnswerHex)
	if err != nil {
		t.Fatal(err)
	}
	var r masterpb.Response
	if err := proto.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	at := func(info *mesospb.TimeInfo) time.Time {
		if info == nil {
			return time.Time{}
		}
		// The original's nanoseconds come out of a double; what it knew are microseconds.
		return time.UnixMicro((info.GetNanoseconds() + 500) / 1000)
	}
	s := &core.Snapshot{Revision: 1}
	for _, a := range r.GetState.GetAgents.Agents {
		s.Agents = append(s.Agents, &core.AgentView{
			ID: a.AgentInfo.Id.GetValue(), Info: a.AgentInfo, PID: a.GetPid(), Version: a.GetVersion(),
			Capabilities: a.Capabilities, Registered: at(a.RegisteredTime), Reregistered: at(a.ReregisteredTime),
			Connected: true, Active: a.GetActive(), Deactivated: a.GetDeactivated(), Drain: a.DrainInfo,
			Total:   resources.New(a.TotalResources...),
			Used:    resources.New(a.AllocatedResources...),
			Offered: resources.New(a.OfferedResources...),
		})
	}
	for _, f := range r.GetState.GetFrameworks.Frameworks {
		v := &core.FrameworkView{
			ID: f.FrameworkInfo.Id.GetValue(), Info: f.FrameworkInfo, Roles: f.FrameworkInfo.Roles,
			Capabilities: core.FrameworkCapabilities{MultiRole: true}, State: core.Active,
			Registered: at(f.RegisteredTime), Unregistered: at(f.UnregisteredTime), Offers: f.Offers,
			Used:    resources.New(f.AllocatedResources...).Scalars(),
			Offered: resources.New(f.OfferedResources...).Scalars(),
		}
		tasks := r.GetState.GetTasks
		v.Tasks, v.Unreachable, v.CompletedTasks = tasks.Tasks, tasks.UnreachableTasks, tasks.CompletedTasks
		s.Frameworks = append(s.Frameworks, v)
	}
	return s
}

// The documents made of one state are those that the original made of it, byte for byte.
// Where the original's order comes out of a hash table the lists are sorted first.
func TestBusyMaster(t *testing.T) {
	list := recordedExchanges(t, "master-busy.json")
	snapshot := busySnapshot(t, list)
	state := find(t, list, func(e exchange) bool { return e.Request == "/state" })
	server := serve(t, recordedMaster(t, state, snapshot))
	for _, e := range list {
		t.Run(e.Request, func(t *testing.T) {
			e.Method, e.Path = http.MethodGet, e.Request
			if call, isCall := strings.CutPrefix(e.Request, "GET_"); isCall {
				name, _, protobuf := strings.Cut(call, " ")
				e.Method, e.Path = http.MethodPost, "/api/v1"
				e.Body = `{"type":"GET_` + name + `"}`
				e.Headers = [][2]string{{"Content-Type", "application/json"}, {"Accept", "application/json"}}
				if protobuf {
					e.Headers[1][1] = "application/x-protobuf"
				}
			}
			resp, got := ask(t, server, e)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", resp.StatusCode, got)
			}
			want := []byte(e.Answer)
			if e.AnswerHex != "" {
				want, _ = hex.DecodeString(e.AnswerHex)
			}
			if bytes.Equal(want, got) {
				return
			}
			if e.AnswerHex != "" {
				comparePB(t, want, got)
				return
			}
			if diff := gocmp.Diff(sortedDocument(t, want), sortedDocument(t, got)); diff != "" {
				t.Errorf("-original +ours:\n%s", diff)
			}
		})
	}
}

// comparePB compares two answers without the order of lists.
func comparePB(t *testing.T, want, got []byte) {
	t.Helper()
	var a, b masterpb.Response
	if err := proto.Unmarshal(want, &a); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(got, &b); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*masterpb.Response{&a, &b} {
		for _, f := range slices.Concat(r.GetGetFrameworks().GetFrameworks(), r.GetGetState().GetGetFrameworks().GetFrameworks()) {
			byName := func(a, b *mesospb.Resource) int { return cmp.Compare(a.GetName(), b.GetName()) }
			slices.SortFunc(f.OfferedResources, byName)
			slices.SortFunc(f.AllocatedResources, byName)
		}
	}
	if !proto.Equal(&a, &b) {
		t.Errorf("original %v\nours %v", &a, &b)
	}
}

// sortedDocument keeps the bytes of every value and the order of keys, but sorts arrays.
func sortedDocument(t *testing.T, doc []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var read func() string
	read = func() string {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %.300s", err, doc)
		}
		switch token {
		case json.Delim('{'):
			var fields []string
			for d.More() {
				key := read()
				fields = append(fields, key+": "+read())
			}
			d.Token()
			return "{\n" + strings.Join(fields, ",\n") + "\n}"
		case json.Delim('['):
			var elements []string
			for d.More() {
				elements = append(elements, read())
			}
			d.Token()
			slices.Sort(elements)
			return "[\n" + strings.Join(elements, ",\n") + "\n]"
		}
		b, _ := json.Marshal(token)
		return string(b)
	}
	return read()
}

// A standby master sends its clients to the leader, with path and query.
func TestStandby(t *testing.T) {
	list := recordedExchanges(t, "master-alone.json")
	state := find(t, list, func(e exchange) bool { return e.Path == "/state" && e.Method == "GET" })
	config := recordedMaster(t, state, &core.Snapshot{})
	leader := &mesospb.MasterInfo{Id: proto.String("other"), Hostname: proto.String("leader.example"), Port: proto.Uint32(5050), Pid: proto.String("master@10.0.0.1:5050")}
	config.Leader = func() *mesospb.MasterInfo { return leader }
	server := serve(t, config)
	for path, want := range map[string]string{
		"/state":                    "//leader.example:5050/master/state",
		"/master/state?jsonp=a%20b": "//leader.example:5050/master/state?jsonp=a%20b",
		"/api/v1":                   "//leader.example:5050/master/api/v1",
		"/redirect":                 "//leader.example:5050",
		"/tasks":                    "//leader.example:5050/master/tasks",
		"/teardown":                 "//leader.example:5050/master/teardown",
		"/health":                   "",
		"/flags":                    "",
		"/version":                  "",
	} {
		resp, body := ask(t, server, exchange{Method: http.MethodGet, Path: path})
		status := http.StatusTemporaryRedirect
		if want == "" {
			status = http.StatusOK
		}
		if got := resp.Header.Get("Location"); got != want || resp.StatusCode != status {
			t.Errorf("%s: %d to %q, want %d to %q; %s", path, resp.StatusCode, got, status, want, body)
		}
	}
	leader = nil
	for _, path := range []string{"/state", "/api/v1", "/redirect"} {
		resp, body := ask(t, server, exchange{Method: http.MethodGet, Path: path})
		if resp.StatusCode != http.StatusServiceUnavailable || string(body) != "No leader elected" {
			t.Errorf("%s without a leader: %d %s", path, resp.StatusCode, body)
		}
	}
}

// A master that stops answers reads with 503.
func TestNoSnapshot(t *testing.T) {
	list := recordedExchanges(t, "master-alone.json")
	state := find(t, list, func(e exchange) bool { return e.Path == "/state" && e.Method == "GET" })
	config := recordedMaster(t, state, nil)
	config.Snapshot = func(context.Context) (*core.Snapshot, error) { return nil, context.Canceled }
	server := serve(t, config)
	for _, path := range []string{"/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/weights", "/metrics/snapshot"} {
		if resp, _ := ask(t, server, exchange{Method: http.MethodGet, Path: path}); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// A build that knows nothing of itself still shows every field.
func TestUnknownBuild(t *testing.T) {
	list := recordedExchanges(t, "master-alone.json")
	state := find(t, list, func(e exchange) bool { return e.Path == "/state" && e.Method == "GET" })
	config := recordedMaster(t, state, &core.Snapshot{})
	config.Build = &mesospb.VersionInfo{Version: proto.String("1.11.0")}
	_, got := ask(t, serve(t, config), exchange{Method: http.MethodGet, Path: "/version"})
	if want := `{"build_date":"","build_time":0.0,"build_user":"","version":"1.11.0"}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
