// Package health asks tasks, over the network, whether they are well: health checks
// again and again while a task runs, readiness checks until a task says yes.
//
// Comes in: which tasks to ask, and how. Goes out: one result per question, from
// goroutines of its own. What a result means is not decided here.
package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/core"
)

// Limits of what is asked and read.
const (
	// firstAfter is the longest time until the first check of a task.
	firstAfter = 5 * time.Second
	// shortestInterval replaces shorter ones, which would ask without pause.
	shortestInterval = time.Second
	// maxBody is how much of an answer to a readiness check is kept, in bytes.
	maxBody = 64 << 10
	// maxHeader bounds the header of any answer, in bytes.
	maxHeader = 64 << 10
)

// Checker asks. Its methods may be called from any goroutine and return at once.
type Checker struct {
	slots     chan struct{}
	health    func(core.ProbeResult)
	readiness func(core.ReadinessResult)
	client    *http.Client
	ctx       context.Context
	cancel    context.CancelFunc

	mu      sync.Mutex
	probes  map[core.ProbeKey]*job
	asked   map[string]*job
	running sync.WaitGroup
}

// job is one task that is being asked.
type job struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// New makes a checker that asks at most concurrent tasks at the same time and hands
// the results to the two functions, which must return quickly. Results may still
// come shortly after a check was stopped.
func New(concurrent int, health func(core.ProbeResult), readiness func(core.ReadinessResult)) *Checker {
	ctx, cancel := context.WithCancel(context.Background())
	return &Checker{
		slots:     make(chan struct{}, max(1, concurrent)),
		health:    health,
		readiness: readiness,
		client: &http.Client{
			Transport: &http.Transport{
				// Every check is a connection of its own, as a new client's would be.
				DisableKeepAlives:  true,
				DisableCompression: true,
				// The agent's own proxy settings have nothing to do with its tasks.
				Proxy: nil,
				// A check asks whether the task answers, not whether others should trust it.
				TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
				MaxResponseHeaderBytes: maxHeader,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		ctx:    ctx,
		cancel: cancel,
		probes: map[core.ProbeKey]*job{},
		asked:  map[string]*job{},
	}
}

// Close stops all checks and waits for those under way.
func (c *Checker) Close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.running.Wait()
	c.client.CloseIdleConnections()
}

// Start begins a health check; starting it again replaces it.
func (c *Checker) Start(p core.Probe) {
	interval := max(p.Check.Interval, shortestInterval)
	c.begin(c.stopProbe, p.Key, func(j *job) {
		wait := min(interval, firstAfter)
		for c.sleep(j, wait) && c.enter(j) {
			begin := time.Now()
			cause := c.ask(j.ctx, p)
			<-c.slots
			if j.ctx.Err() != nil {
				return
			}
			c.health(core.ProbeResult{Key: p.Key, Cause: cause})
			wait = max(0, interval-time.Since(begin))
		}
	})
}

// begin starts a goroutine for a check after stopping the one it replaces.
func (c *Checker) begin(stop func(core.ProbeKey), key core.ProbeKey, run func(*job)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return
	}
	stop(key)
	j := &job{}
	j.ctx, j.cancel = context.WithCancel(c.ctx)
	if key.Index < 0 {
		c.asked[key.TaskID] = j
	} else {
		c.probes[key] = j
	}
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		defer j.cancel()
		run(j)
	}()
}

// sleep waits; it returns false when the check was stopped.
func (c *Checker) sleep(j *job, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-j.ctx.Done():
		return false
	}
}

// enter waits for one of the slots.
func (c *Checker) enter(j *job) bool {
	select {
	case c.slots <- struct{}{}:
		return true
	case <-j.ctx.Done():
		return false
	}
}

// Stop ends a health check.
func (c *Checker) Stop(key core.ProbeKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopProbe(key)
}

func (c *Checker) stopProbe(key core.ProbeKey) {
	if j := c.probes[key]; j != nil {
		j.cancel()
		delete(c.probes, key)
	}
}

// ask performs a health check once and returns what was wrong, "" for nothing.
func (c *Checker) ask(ctx context.Context, p core.Probe) string {
	timeout := p.Check.Timeout
	if timeout <= 0 {
		timeout = shortestInterval
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	address := net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
	if p.Check.Protocol == app.HealthTCP {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return cause(err, timeout)
		}
		conn.Close()
		return ""
	}
	scheme, path := "http", ""
	if p.Check.Protocol == app.HealthHTTPS {
		scheme = "https"
	}
	if p.Check.Path != nil {
		path = *p.Check.Path
	}
	response, err := c.get(ctx, scheme, address, path)
	if err != nil {
		return cause(err, timeout)
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 399 {
		return response.Status
	}
	return ""
}

func (c *Checker) get(ctx context.Context, scheme, address, path string) (*http.Response, error) {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	return c.client.Do(request)
}

// cause says in a few words what went wrong.
func cause(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %d s", int(timeout/time.Second))
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Error()
	}
	return err.Error()
}

// StartReadiness begins to ask a task whether it is ready: at once, then each interval
// after the last answer, until it says yes.
func (c *Checker) StartReadiness(p core.ReadinessProbe) {
	interval := max(p.Check.Interval, shortestInterval)
	c.begin(func(core.ProbeKey) { c.stopAsking(p.TaskID) }, core.ProbeKey{TaskID: p.TaskID, Index: -1}, func(j *job) {
		for c.enter(j) {
			result := c.askReady(j.ctx, p)
			<-c.slots
			if j.ctx.Err() != nil {
				return
			}
			c.readiness(result)
			if result.Ready || !c.sleep(j, interval) {
				return
			}
		}
	})
}

// StopReadiness ends it.
func (c *Checker) StopReadiness(taskID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopAsking(taskID)
}

func (c *Checker) stopAsking(taskID string) {
	if j := c.asked[taskID]; j != nil {
		j.cancel()
		delete(c.asked, taskID)
	}
}

// askReady asks once. A task that cannot be reached is not ready, and is shown with
// the status of a gateway's timeout.
// Original: core/readiness/impl/ReadinessCheckExecutorImpl.scala.
func (c *Checker) askReady(ctx context.Context, p core.ReadinessProbe) core.ReadinessResult {
	ctx, cancel := context.WithTimeout(ctx, max(p.Check.Timeout, shortestInterval))
	defer cancel()
	result := core.ReadinessResult{TaskID: p.TaskID, Name: p.Check.Name}
	address := net.JoinHostPort(p.Host, strconv.Itoa(p.Port))
	scheme := strings.ToLower(p.Check.Protocol)
	response, err := c.get(ctx, scheme, address, p.Check.Path)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(response.Body, maxBody))
		response.Body.Close()
	}
	answer := core.ReadinessResponse{}
	if err != nil {
		answer.Status = http.StatusGatewayTimeout
		answer.ContentType = "text/plain"
		answer.Body = fmt.Sprintf("Marathon could not query %s://%s%s: %s", scheme, address, p.Check.Path, cause(err, p.Check.Timeout))
	} else {
		answer.Status = response.StatusCode
		answer.ContentType, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
		answer.Body = strings.ToValidUTF8(string(body), "\uFFFD")
		for _, code := range p.Check.HTTPStatusCodesForReady {
			result.Ready = result.Ready || code == response.StatusCode
		}
	}
	if p.Check.PreserveLastResponse {
		result.Response = &answer
	}
	return result
}
