package marathon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/internal/store"
	"stoa/marathon"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// daemon is one Marathon on a store of its own.
type daemon struct {
	t      *testing.T
	url    string
	store  *store.File
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, c *cluster, path string) *daemon {
	t.Helper()
	s, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := startWith(t, c, s)
	d.store = s
	return d
}

func startWith(t *testing.T, c *cluster, s store.Store) *daemon {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := marathon.DefaultConfig()
	cfg.Store, cfg.Listener, cfg.Masters, cfg.Hostname = s, l, []string{c.address()}, "127.0.0.1"
	m, err := marathon.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &daemon{t: t, url: "http://" + l.Addr().String(), cancel: cancel, done: make(chan error, 1)}
	go func() { d.done <- m.Run(ctx) }()
	t.Cleanup(func() { d.stop() })
	return d
}

func (d *daemon) stop() error {
	d.cancel()
	err, running := <-d.done
	if running {
		close(d.done)
	}
	if d.store != nil {
		d.store.Close()
	}
	return err
}

// do makes a request and decodes the answer into a map.
func (d *daemon) do(method, path, body string) (int, map[string]any) {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	var out map[string]any
	_ = json.Unmarshal(bytes.TrimSpace(b), &out)
	return answer.StatusCode, out
}

// until polls for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// tasks lists the ids of an app's tasks in a state.
func (d *daemon) tasks(app, state string) []string {
	_, answer := d.do("GET", "/v2/apps"+app+"/tasks", "")
	var ids []string
	list, _ := answer["tasks"].([]any)
	for _, task := range list {
		if task.(map[string]any)["state"] == state {
			ids = append(ids, task.(map[string]any)["id"].(string))
		}
	}
	slices.Sort(ids)
	return ids
}

// record reads the stored instance that a task belongs to.
func record(t *testing.T, s store.Store, taskID string) string {
	instanceID, _, _ := strings.Cut(taskID, "._app.")
	r, err := s.Get(context.Background(), "marathon/instances/"+instanceID)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Error(err)
	}
	return string(r.Value)
}

func TestNothingIsAcknowledgedBeforeItIsStored(t *testing.T) {
	c := newCluster(t)
	s, err := store.OpenFile(filepath.Join(t.TempDir(), "marathon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var launches, acks atomic.Int64
	c.launched = func(task *mesospb.TaskInfo) {
		launches.Add(1)
		if !strings.Contains(record(t, s, task.GetTaskId().GetValue()), `"condition":"Provisioned"`) {
			t.Errorf("%s was launched before it was stored", task.GetTaskId().GetValue())
		}
	}
	c.acknowledged = func(a *schedulerpb.Call_Acknowledge) {
		acks.Add(1)
		if !strings.Contains(record(t, s, a.GetTaskId().GetValue()), `"condition":"Running"`) {
			t.Errorf("%s was acknowledged before it was stored", a.GetTaskId().GetValue())
		}
	}
	d := startWith(t, c, s)
	status, _ := d.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 1","cpus":0.1,"mem":10,"instances":20}`)
	if status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	if _, err := s.Get(t.Context(), "marathon/apps/web"); err != nil {
		t.Errorf("201 came before the app was stored: %v", err)
	}
	until(t, "all run", func() bool { return len(d.tasks("/web", "TASK_RUNNING")) == 20 && acks.Load() == 20 })
	if launches.Load() != 20 {
		t.Errorf("%d launches", launches.Load())
	}
}

func TestTasksGoOnWhileMarathonRestarts(t *testing.T) {
	c := newCluster(t)
	path := filepath.Join(t.TempDir(), "marathon.db")
	d := start(t, c, path)
	d.do("POST", "/v2/apps", `{"id":"/shop/web","cmd":"sleep 1","cpus":0.1,"mem":10,"instances":3}`)
	until(t, "all run", func() bool { return len(d.tasks("/shop/web", "TASK_RUNNING")) == 3 })
	before := d.tasks("/shop/web", "TASK_RUNNING")
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	// One of them ends meanwhile.
	c.fail(before[0])
	d = start(t, c, path)
	until(t, "three run again", func() bool { return len(d.tasks("/shop/web", "TASK_RUNNING")) == 3 && c.unacknowledged() == 0 })
	after := d.tasks("/shop/web", "TASK_RUNNING")
	kept := 0
	for _, taskID := range after {
		if slices.Contains(before, taskID) {
			kept++
		}
	}
	if kept != 2 || len(c.running()) != 3 {
		t.Errorf("%d of the tasks were kept, %d run; want 2 and 3", kept, len(c.running()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := c.frameworks[1].GetId().GetValue(); id != "framework-0000" {
		t.Errorf("subscribed again as %q", id)
	}
}

func TestAppsComeBackAfterTheFrameworkWasRemoved(t *testing.T) {
	c := newCluster(t)
	path := filepath.Join(t.TempDir(), "marathon.db")
	d := start(t, c, path)
	d.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 1","cpus":0.1,"mem":10,"instances":2}`)
	until(t, "both run", func() bool { return len(d.tasks("/web", "TASK_RUNNING")) == 2 })
	before := d.tasks("/web", "TASK_RUNNING")
	c.remove()
	err := <-d.done
	close(d.done)
	if !errors.Is(err, marathon.ErrFrameworkRemoved) {
		t.Fatalf("Run returned %v", err)
	}
	d.store.Close()
	d = start(t, c, path)
	until(t, "both run again", func() bool { return len(d.tasks("/web", "TASK_RUNNING")) == 2 && len(c.running()) == 2 })
	for _, taskID := range d.tasks("/web", "TASK_RUNNING") {
		if slices.Contains(before, taskID) {
			t.Errorf("%s cannot run any more", taskID)
		}
	}
}

func TestAbdicationEndsTheProcess(t *testing.T) {
	c := newCluster(t)
	d := start(t, c, filepath.Join(t.TempDir(), "marathon.db"))
	if status, _ := d.do("DELETE", "/v2/leader", ""); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	err := <-d.done
	close(d.done)
	if !errors.Is(err, marathon.ErrAbdicated) {
		t.Errorf("Run returned %v", err)
	}
}

func TestFrameworkInfo(t *testing.T) {
	c := newCluster(t)
	d := start(t, c, filepath.Join(t.TempDir(), "marathon.db"))
	until(t, "subscribed", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.frameworks) > 0 })
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.frameworks[0]
	var capabilities []string
	for _, one := range f.Capabilities {
		capabilities = append(capabilities, one.GetType().String())
	}
	if f.GetName() != "marathon" || f.GetUser() != "root" || !f.GetCheckpoint() || f.GetFailoverTimeout() != 604800 ||
		f.GetHostname() != "127.0.0.1" || f.GetWebuiUrl() != d.url || !slices.Equal(f.GetRoles(), []string{"*"}) ||
		!slices.Equal(capabilities, []string{"PARTITION_AWARE", "REGION_AWARE", "MULTI_ROLE"}) {
		t.Errorf("framework %v", f)
	}
}

func TestLifeOfAnAppOverTheAPI(t *testing.T) {
	c := newCluster(t)
	d := start(t, c, filepath.Join(t.TempDir(), "marathon.db"))
	quiet := func() bool {
		_, answer := d.do("GET", "/v2/info", "")
		list := []any{}
		r, err := http.Get(d.url + "/v2/deployments")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
		return answer["frameworkId"] != nil && len(list) == 0
	}
	d.do("POST", "/v2/apps", `{"id":"/web","cmd":"sleep 1","cpus":0.1,"mem":10}`)
	until(t, "it runs", func() bool { return len(d.tasks("/web", "TASK_RUNNING")) == 1 && quiet() })
	for _, step := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/v2/apps/web", `{"instances":3}`, 3},
		{"POST", "/v2/apps/web/restart", "", 3},
		{"PUT", "/v2/apps/web", `{"cmd":"sleep 2"}`, 3},
		{"PUT", "/v2/apps/web", `{"instances":0}`, 0},
		{"PUT", "/v2/apps/web", `{"instances":2}`, 2},
	} {
		status, answer := d.do(step.method, step.path, step.body)
		if status != http.StatusOK || answer["deploymentId"] == nil {
			t.Fatalf("%s %s %s: %d %v", step.method, step.path, step.body, status, answer)
		}
		until(t, fmt.Sprintf("%d run after %s", step.want, step.body), func() bool {
			return quiet() && len(d.tasks("/web", "TASK_RUNNING")) == step.want && len(c.running()) == step.want
		})
	}
	_, versions := d.do("GET", "/v2/apps/web/versions", "")
	list, _ := versions["versions"].([]any)
	if len(list) != 6 {
		t.Errorf("%d versions, want 6", len(list))
	}
	d.do("DELETE", "/v2/apps/web", "")
	until(t, "it is gone", func() bool { return quiet() && len(c.running()) == 0 })
	if status, _ := d.do("GET", "/v2/apps/web", ""); status != http.StatusNotFound {
		t.Errorf("status %d after the delete", status)
	}
}

func TestHealthIsShownAsItChanges(t *testing.T) {
	c := newCluster(t)
	d := start(t, c, filepath.Join(t.TempDir(), "marathon.db"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d.do("POST", "/v2/apps", fmt.Sprintf(`{"id":"/web","cmd":"sleep 1","healthChecks":[
		{"protocol":"TCP","port":%d,"intervalSeconds":1,"gracePeriodSeconds":0}]}`, l.Addr().(*net.TCPAddr).Port))
	last := func() string {
		_, answer := d.do("GET", "/v2/apps/web/tasks", "")
		list, _ := answer["tasks"].([]any)
		if len(list) == 0 {
			return ""
		}
		results, _ := list[0].(map[string]any)["healthCheckResults"].([]any)
		if len(results) == 0 {
			return ""
		}
		at, _ := results[0].(map[string]any)["lastSuccess"].(string)
		return at
	}
	var first string
	until(t, "it is healthy", func() bool { first = last(); return first != "" })
	until(t, "the next success shows", func() bool { return last() > first })
}

func TestOlderTreesComeBack(t *testing.T) {
	c := newCluster(t)
	d := start(t, c, filepath.Join(t.TempDir(), "marathon.db"))
	_, first := d.do("POST", "/v2/apps", `{"id":"/g/a","cmd":"sleep 1","instances":0}`)
	d.do("POST", "/v2/apps?force=true", `{"id":"/g/b","cmd":"sleep 1","instances":0}`)
	d.do("DELETE", "/v2/apps/g/a", "")
	version, _ := first["version"].(string)
	status, old := d.do("GET", "/v2/groups/versions/"+version+"?embed=group.apps&embed=group.groups", "")
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK || !strings.Contains(string(text), `"/g/a"`) || strings.Contains(string(text), `"/g/b"`) {
		t.Errorf("%d %s", status, text)
	}
}

func TestBadConfigurationIsOneClearLine(t *testing.T) {
	cfg := marathon.DefaultConfig()
	s, err := store.OpenFile(filepath.Join(t.TempDir(), "marathon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg.Store, cfg.Listener = s, l
	if _, err := marathon.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "--master") {
		t.Errorf("error %v", err)
	}
}

// fullStore has no room until it is told otherwise.
type fullStore struct {
	*store.File
	full atomic.Bool
}

func (s *fullStore) Apply(ctx context.Context, ops ...store.Op) ([]int64, error) {
	if s.full.Load() {
		return nil, store.ErrFull
	}
	return s.File.Apply(ctx, ops...)
}

func TestFullDiskDelaysButLosesNothing(t *testing.T) {
	c := newCluster(t)
	f, err := store.OpenFile(filepath.Join(t.TempDir(), "marathon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := &fullStore{File: f}
	d := startWith(t, c, s)
	until(t, "subscribed", func() bool { _, info := d.do("GET", "/v2/info", ""); return info["frameworkId"] != nil })
	s.full.Store(true)
	post := func(app, says string) {
		t.Helper()
		status, answer := d.do("POST", "/v2/apps", `{"id":"`+app+`","cmd":"sleep 1"}`)
		if message := fmt.Sprint(answer["message"]); status != http.StatusServiceUnavailable || !strings.Contains(message, says) {
			t.Errorf("status %d, %v", status, answer)
		}
	}
	// The first one finds out, the others are not begun.
	post("/web", "as soon as there is room: store: no space left")
	post("/other", "nothing can be changed now: store: no space left")
	if status, answer := d.do("GET", "/v2/apps", ""); status != http.StatusOK || len(answer["apps"].([]any)) != 0 {
		t.Errorf("status %d, %v", status, answer)
	}
	s.full.Store(false)
	until(t, "it runs", func() bool { return len(d.tasks("/web", "TASK_RUNNING")) == 1 })
	if status, _ := d.do("GET", "/v2/apps/other", ""); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	if status, _ := d.do("POST", "/v2/apps", `{"id":"/other","cmd":"sleep 1"}`); status != http.StatusCreated {
		t.Errorf("status %d", status)
	}
}

func TestBrokenStoreEndsTheService(t *testing.T) {
	c := newCluster(t)
	f, err := store.OpenFile(filepath.Join(t.TempDir(), "marathon.db"))
	if err != nil {
		t.Fatal(err)
	}
	d := startWith(t, c, f)
	until(t, "subscribed", func() bool { _, info := d.do("GET", "/v2/info", ""); return info["frameworkId"] != nil })
	f.Close()
	go func() {
		r, err := http.Post(d.url+"/v2/apps", "application/json", strings.NewReader(`{"id":"/web","cmd":"sleep 1"}`))
		if err == nil {
			r.Body.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	if err := <-d.done; err == nil || !strings.Contains(err.Error(), "cannot store its state") {
		t.Errorf("Run returned %v", err)
	}
	close(d.done)
}
