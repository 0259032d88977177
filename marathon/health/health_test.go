package health_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/health"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checker collects results.
func checker(t *testing.T) (*health.Checker, chan core.ProbeResult, chan core.ReadinessResult) {
	probes, ready := make(chan core.ProbeResult, 100), make(chan core.ReadinessResult, 100)
	c := health.New(4, func(r core.ProbeResult) { probes <- r }, func(r core.ReadinessResult) { ready <- r })
	t.Cleanup(c.Close)
	return c, probes, ready
}

func hostPort(t *testing.T, address string) (string, int) {
	t.Helper()
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return host, n
}

// ask performs one check and returns what was wrong.
func ask(t *testing.T, protocol app.HealthProtocol, address string, path *string) string {
	t.Helper()
	c, results, _ := checker(t)
	host, port := hostPort(t, address)
	c.Start(core.Probe{
		Key: core.ProbeKey{TaskID: "t"}, Host: host, Port: port,
		// Shorter intervals are raised to a second, which is when the first check is.
		Check: app.HealthCheck{Protocol: protocol, Path: path, Interval: time.Millisecond, Timeout: time.Second},
	})
	return (<-results).Cause
}

func TestHTTP(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   string
		status int
		want   string
	}{
		{"200", "/", 200, ""},
		{"a redirect is not followed", "/", 302, ""},
		{"404", "/", 404, "404 Not Found"},
		{"500", "/", 500, "500 Internal Server Error"},
		{"path without a slash", "x?y=1", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Value
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Store(r.Method + " " + r.RequestURI)
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(c.status)
			}))
			defer s.Close()
			if got := ask(t, app.HealthHTTP, s.URL, &c.path); got != c.want {
				t.Errorf("cause %q, want %q", got, c.want)
			}
			if got, want := asked.Load(), "GET /"+strings.TrimPrefix(c.path, "/"); got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
		})
	}
}

func TestHTTPSTrustsAnyCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	if got := ask(t, app.HealthHTTPS, s.URL, nil); got != "" {
		t.Errorf("cause %q", got)
	}
}

func TestTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, app.HealthTCP, l.Addr().String(), nil); got != "" {
		t.Errorf("cause %q", got)
	}
	l.Close()
	if got := ask(t, app.HealthTCP, l.Addr().String(), nil); !strings.Contains(got, "refused") {
		t.Errorf("cause %q after the end", got)
	}
}

func TestSilenceIsAFailure(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	if got := ask(t, app.HealthHTTP, s.URL, nil); got != "no answer within 1 s" {
		t.Errorf("cause %q", got)
	}
}

func TestStoppedCheckAsksNoMore(t *testing.T) {
	t.Parallel()
	c, results, _ := checker(t)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer s.Close()
	host, port := hostPort(t, s.URL)
	key := core.ProbeKey{TaskID: "t", Index: 1}
	c.Start(core.Probe{Key: key, Host: host, Port: port, Check: app.HealthCheck{Protocol: app.HealthHTTP, Timeout: time.Second}})
	<-results
	c.Stop(key)
	c.Close()
	n := asked.Load()
	c.Start(core.Probe{Key: key, Host: host, Port: port, Check: app.HealthCheck{Protocol: app.HealthHTTP, Timeout: time.Second}})
	if asked.Load() != n {
		t.Error("asked after the end")
	}
}

func TestReadinessAsksUntilTheAnswerIsYes(t *testing.T) {
	t.Parallel()
	c, _, results := checker(t)
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if asked.Add(1) < 2 {
			w.WriteHeader(503)
		}
		_, _ = w.Write([]byte(`{"a":1}`))
	}))
	defer s.Close()
	host, port := hostPort(t, s.URL)
	check := app.ReadinessCheck{
		Name: "r", Protocol: "HTTP", Path: "/", Interval: time.Millisecond, Timeout: time.Second,
		HTTPStatusCodesForReady: []int{200}, PreserveLastResponse: true,
	}
	c.StartReadiness(core.ReadinessProbe{TaskID: "t", Check: check, Host: host, Port: port})
	first, second := <-results, <-results
	if first.Ready || first.Response.Status != 503 || first.Response.ContentType != "application/json" || first.Response.Body != `{"a":1}` {
		t.Errorf("first %+v %+v", first, first.Response)
	}
	if !second.Ready || second.TaskID != "t" || second.Name != "r" {
		t.Errorf("second %+v", second)
	}
	c.StopReadiness("t")
}

func TestUnreachableTaskIsNotReady(t *testing.T) {
	t.Parallel()
	c, _, results := checker(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	host, port := hostPort(t, l.Addr().String())
	c.StartReadiness(core.ReadinessProbe{TaskID: "t", Host: host, Port: port, Check: app.ReadinessCheck{
		Name: "r", Protocol: "HTTPS", Path: "/", Interval: time.Hour, Timeout: time.Second, PreserveLastResponse: true,
	}})
	if r := <-results; r.Ready || r.Response.Status != 504 || !strings.HasPrefix(r.Response.Body, "Marathon could not query https://") {
		t.Errorf("%+v %+v", r, r.Response)
	}
}
