package metrics

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stoa/internal/httpd"

	"github.com/google/go-cmp/cmp"
)

func shown(s *Set) string {
	return string(s.append(nil))
}

// A timer is absent at first, then shows its last value, then statistics too; the
// numbers are those of a recorded snapshot.
func TestTimerShowsWhatTheOriginalDoes(t *testing.T) {
	timer := NewTimer(Window)
	now := time.Unix(1_700_000_000, 0)
	var none, one, three Set
	timer.Put(&none, "registrar/state_store_ms")
	timer.Observe(now, 6578944)
	timer.Put(&one, "registrar/state_store_ms")
	timer.Observe(now, 17193984)
	timer.Observe(now, 7603712)
	timer.Put(&three, "registrar/state_store_ms")
	if got := shown(&none); got != "{}" {
		t.Errorf("before: %s", got)
	}
	if got := shown(&one); got != `{"registrar/state_store_ms":6.578944}` {
		t.Errorf("after one: %s", got)
	}
	want := `{"registrar/state_store_ms":7.603712,"registrar/state_store_ms/count":3.0,"registrar/state_store_ms/max":17.193984,` +
		`"registrar/state_store_ms/min":6.578944,"registrar/state_store_ms/p50":7.603712,"registrar/state_store_ms/p90":15.275929600000002,` +
		`"registrar/state_store_ms/p95":16.2349568,"registrar/state_store_ms/p99":17.00217856,"registrar/state_store_ms/p999":17.174803456,` +
		`"registrar/state_store_ms/p9999":17.1920659456}`
	if diff := cmp.Diff(want, shown(&three)); diff != "" {
		t.Error(diff)
	}
}

// What is older than the window is forgotten, and the statistics with it.
func TestTimerForgets(t *testing.T) {
	timer := NewTimer(Window)
	now := time.Unix(1_700_000_000, 0)
	timer.Observe(now, time.Second)
	timer.Observe(now.Add(time.Minute), time.Second)
	timer.Observe(now.Add(61*time.Minute), 2*time.Second)
	var s Set
	timer.Put(&s, "t")
	if s.Len() != 1 {
		t.Errorf("left: %s", shown(&s))
	}
}

// A history never grows beyond its bound, and keeps its newest half whole.
func TestTimerIsBounded(t *testing.T) {
	timer := NewTimer(Window)
	now := time.Unix(1_700_000_000, 0)
	const n = 50_000
	for i := range n {
		timer.Observe(now.Add(time.Duration(i)*time.Millisecond), time.Duration(i)*time.Millisecond)
	}
	if len(timer.history) != capacity {
		t.Errorf("%d values", len(timer.history))
	}
	if !slices.IsSortedFunc(timer.history, func(a, b sample) int { return a.at.Compare(b.at) }) {
		t.Error("not in order of time")
	}
	for i, one := range timer.history[capacity/2+2:] {
		if want := float64(n - (capacity - capacity/2 - 2) + i); one.value != want {
			t.Fatalf("value %d is %v, not %v", i, one.value, want)
		}
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"2/1secs": 500 * time.Millisecond, "10/1mins": 6 * time.Second, "": 0,
	} {
		if got, err := ParseRate(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"2", "x/1secs", "0/1secs", "-1/1secs", "2/x", "2/"} {
		if _, err := ParseRate(text); err == nil {
			t.Errorf("%q is a rate", text)
		}
	}
}

// Requests go through one every half second; one that gives up does not take its turn
// with it.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(DefaultRate)
		start := time.Now()
		l.Wait(t.Context())
		if time.Since(start) != 0 {
			t.Error("the first one waits")
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- l.Wait(ctx) }()
		synctest.Wait()
		second := make(chan time.Duration)
		go func() { l.Wait(t.Context()); second <- time.Since(start) }()
		cancel()
		if <-gone == nil {
			t.Error("a request that gave up went through")
		}
		if d := <-second; d != DefaultRate {
			t.Errorf("the second one waits %v", d)
		}
		l.Wait(t.Context())
		if d := time.Since(start); d != 2*DefaultRate {
			t.Errorf("the third one waits %v", d)
		}
	})
	if NewLimiter(0).Wait(t.Context()) != nil || (*Limiter)(nil).Wait(t.Context()) != nil {
		t.Error("no limit is one")
	}
}

func serve(t *testing.T, set func(*Set)) func(path string) (int, string) {
	t.Helper()
	source := func(context.Context) *Set {
		var s Set
		set(&s)
		return &s
	}
	engine := httpd.NewEngine(nil)
	engine.GET("/metrics/snapshot", Snapshot(source, nil))
	engine.GET("/metrics", Prometheus(source))
	engine.GET("/gone", Snapshot(func(context.Context) *Set { return nil }, nil))
	engine.GET("/prometheus-gone", Prometheus(func(context.Context) *Set { return nil }))
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	return func(path string) (int, string) {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
}

func TestSnapshotDocument(t *testing.T) {
	get := serve(t, func(s *Set) {
		s.Gauge("b", 1)
		s.Counter("a/x", 2)
		s.Add("b", 0.5)
	})
	for path, want := range map[string]string{
		"/metrics/snapshot":               `200 {"a/x":2.0,"b":1.5}`,
		"/metrics/snapshot?jsonp=f":       `200 f({"a/x":2.0,"b":1.5})`,
		"/metrics/snapshot?timeout=5secs": `200 {"a/x":2.0,"b":1.5}`,
		"/gone":                           "503 The daemon is shutting down",
	} {
		status, body := get(path)
		if got := fmt.Sprint(status, " ", body); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if status, body := get("/metrics/snapshot?timeout=x"); status != 400 || !strings.HasPrefix(body, "Invalid timeout 'x': ") || !strings.HasSuffix(body, ".\n") {
		t.Errorf("%d %q", status, body)
	}
}

// Prometheus gets each number once, with labels for what is not part of the name.
func TestPrometheus(t *testing.T) {
	get := serve(t, func(s *Set) {
		s.Gauge("master/tasks_running", 3)
		s.Counter("master/tasks_failed", 4)
		s.Counter("master/task_lost/source_master/reason_slave_removed", 5)
		s.Counter("master/frameworks/a%2Fb%20c/id-0000/calls", 6)
		s.Counter("master/frameworks/a%2Fb%20c/id-0000/calls/accept", 7)
		s.Counter("master/frameworks/a%2Fb%20c/id-0000/offers/sent", 8)
		s.Gauge("master/frameworks/a%2Fb%20c/id-0000/roles/x/y/suppressed", 1)
		s.Gauge("master/frameworks/%FF/id-0001/subscribed", 1)
		s.Gauge("allocator/mesos/quota/roles/x/y/resources/cpus/limit", 9)
		s.Gauge("allocator/mesos/allocation_run_ms/p50", 0.25)
		s.Counter("frameworks/me/messages_received", 10)
		s.Gauge("a/b", 1)
		s.Gauge("a_b", 2)
	})
	status, body := get("/metrics")
	if status != 200 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{
		"# TYPE mesos_master_tasks_running gauge\nmesos_master_tasks_running 3\n",
		"# TYPE mesos_master_tasks_failed counter\nmesos_master_tasks_failed 4\n",
		`mesos_master_tasks_ended_by_reason{reason="reason_slave_removed",source="source_master",state="task_lost"} 5`,
		`mesos_master_frameworks_calls{framework="a/b c",framework_id="id-0000"} 6`,
		`mesos_master_frameworks_calls_by_type{framework="a/b c",framework_id="id-0000",type="accept"} 7`,
		`mesos_master_frameworks_offers_sent{framework="a/b c",framework_id="id-0000"} 8`,
		`mesos_master_frameworks_suppressed{framework="a/b c",framework_id="id-0000",role="x/y"} 1`,
		`mesos_master_frameworks_subscribed{framework="` + "\uFFFD" + `",framework_id="id-0001"} 1`,
		`mesos_allocator_mesos_quota_limit{resource="cpus",role="x/y"} 9`,
		"mesos_allocator_mesos_allocation_run_ms_p50 0.25\n",
		`mesos_frameworks_messages_received{principal="me"} 10`,
		"go_goroutines ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if status, body := get("/prometheus-gone"); status != 200 || strings.Contains(body, "mesos_") {
		t.Errorf("%d %.200s", status, body)
	}
}
