package httpapi_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/agent/checkpoint"
	"stoa/agent/core"
	"stoa/agent/gc"
	"stoa/agent/httpapi"
	"stoa/internal/files"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// The recorded agent's own settings.
const (
	recordedWork = "/var/rec/s7/http-executor"
	recordedUPID = "slave(1)@127.0.0.1:25211"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// recoveredCore is a core that has recovered the work directory which the original agent left
// when it was killed, and whose executors are back.
func recoveredCore(t *testing.T) *core.Core {
	t.Helper()
	work := t.TempDir()
	var tree []struct {
		Path, Mode, Link, Content string
		ContentHex                *string `json:"content_hex"`
	}
	if err := json.Unmarshal(read(t, "tree.json"), &tree); err != nil {
		t.Fatal(err)
	}
	for _, n := range tree {
		path := filepath.Join(work, n.Path)
		var err error
		switch n.Mode[0] {
		case 'd':
			err = os.MkdirAll(path, 0o755)
		case 'l':
			err = os.Symlink(filepath.Join(work, "meta", n.Link), path)
		default:
			content := []byte(n.Content)
			if n.ContentHex != nil {
				if content, err = hex.DecodeString(*n.ContentHex); err != nil {
					t.Fatal(err)
				}
			}
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	layout := checkpoint.Layout{Work: work}
	id, err := checkpoint.BootID()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.WriteFile(layout.BootID(), []byte(id), checkpoint.Process); err != nil {
		t.Fatal(err)
	}
	saved, err := checkpoint.Recover(layout, true)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1795212226, 653958000)
	shown := checkpoint.Layout{Work: recordedWork, Agent: saved.Info.GetId().GetValue()}
	c := core.New(core.Options{
		UPID: recordedUPID, Endpoint: "127.0.0.1:25211", IP: "127.0.0.1", SwitchUser: true,
		Sandbox: func(r core.RunID) string {
			return shown.Framework(r.Framework).Executor(r.Executor).Run(r.Container).Sandbox()
		},
		PIDFile:               func(core.RunID) string { return "" },
		Random:                func() float64 { return 0 },
		NewUUID:               func() []byte { return make([]byte, 16) },
		NewContainerID:        func() string { return "new" },
		MaxCompletedExecutors: 150, ExecutorReregistrationTimeout: 2 * time.Second,
	}, now)
	info := proto.Clone(saved.Info).(*mesospb.AgentInfo)
	info.Id = nil
	resources.UpgradeAll(info)
	c.Step(now, core.Recovered{Saved: saved, Info: info})
	c.Step(now, core.ContainersRecovered{})
	for i, executor := range []string{"argv", "run", "asnobody"} {
		c.Step(now, core.ExecutorCall{Call: uint64(i), Body: &executorpb.Call{
			FrameworkId: &mesospb.FrameworkID{Value: &saved.Frameworks[0].ID}, ExecutorId: &mesospb.ExecutorID{Value: &executor},
			Type: executorpb.Call_SUBSCRIBE.Enum(), Subscribe: &executorpb.Call_Subscribe{},
		}})
	}
	c.Step(now, core.MasterDetected{UPID: "master@127.0.0.1:25110", Hostname: "localhost"})
	return c
}

type noContainers struct{}

func (noContainers) Usage(context.Context, core.RunID) *mesospb.ResourceStatistics { return nil }
func (noContainers) Status(context.Context, core.RunID) *mesospb.ContainerStatus   { return nil }

// serve gives the API of a core that does not change any more.
func serve(t *testing.T, c *core.Core) http.Handler {
	t.Helper()
	var recorded struct{ Flags map[string]string }
	if err := json.Unmarshal(read(t, "state.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	view := c.View()
	done := make(chan struct{})
	return httpapi.New(httpapi.Config{
		Process: "slave(1)", PID: recordedUPID,
		View:       func(context.Context) *core.View { return view },
		Executors:  httpapi.NewExecutors(func() bool { return true }, func(core.Event) {}, done),
		Files:      files.New(),
		Containers: noContainers{},
		Build:      httpapi.Build{Version: "1.12.0", GitSHA: "c1b42f79d", Date: "2024-08-30", User: "ref", Time: 1725000000},
		Flags:      recorded.Flags,
		GC:         func() gc.Counts { return gc.Counts{} },
		MaxAge:     func() time.Duration { return 0 },
	})
}

// The original keeps executors in a hash map; ours come in another order.
func sortExecutors(t *testing.T, body string) string {
	t.Helper()
	var pieces []string
	start := strings.Index(body, `"executors":[{"id"`)
	end := strings.Index(body, `],"completed_executors":[{"id"`)
	if start < 0 || end < 0 {
		t.Fatalf("no executors in %s", body)
	}
	start += len(`"executors":[`)
	pieces = regexp.MustCompile(`,(?:\{"id":"[^"]*","name":"Command Executor)`).Split(body[start:end], -1)
	names := regexp.MustCompile(`,(\{"id":"[^"]*","name":"Command Executor)`).FindAllStringSubmatch(body[start:end], -1)
	for i := range names {
		pieces[i+1] = names[i][1] + pieces[i+1]
	}
	slices.Sort(pieces)
	return body[:start] + strings.Join(pieces, ",") + body[end:]
}

func TestStateOfARecoveredAgentIsAsRecorded(t *testing.T) {
	handler := serve(t, recoveredCore(t))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/slave(1)/state", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	want, got := sortExecutors(t, string(read(t, "state.json"))), sortExecutors(t, w.Body.String())
	if want != got {
		t.Errorf("/state (-want +got):\n%s", cmp.Diff(strings.Split(want, ","), strings.Split(got, ",")))
	}
}

func TestGetStateOfARecoveredAgentIsAsRecorded(t *testing.T) {
	handler := serve(t, recoveredCore(t))
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/api/v1", strings.NewReader(`{"type":"GET_STATE"}`))
	r.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	// The lists have no order of their own: compare them as sets of objects.
	var want, got map[string]any
	if err := json.Unmarshal(read(t, "get_state.json"), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	byText := func(v any) any {
		list, ok := v.([]any)
		if !ok {
			return v
		}
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b any) int {
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			return strings.Compare(string(x), string(y))
		})
		return list
	}
	for _, part := range []string{"get_tasks", "get_executors", "get_frameworks"} {
		w, _ := want["get_state"].(map[string]any)[part].(map[string]any)
		g, _ := got["get_state"].(map[string]any)[part].(map[string]any)
		if len(w) != len(g) {
			t.Errorf("%s has other fields: %v and %v", part, w, g)
		}
		for key := range w {
			if diff := cmp.Diff(byText(w[key]), byText(g[key])); diff != "" {
				t.Errorf("%s.%s (-want +got):\n%s", part, key, diff)
			}
		}
	}
}
