// Package replay does the steps of a scenario against running servers and says
// where the answers are not what they should be.
//
// Comes in: vector files, the servers' addresses. Goes out: HTTP requests, and a
// report. Comparing is the match package's job.
package replay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stoa/compat-tests/match"
)

// pollInterval is the pause between two tries of a step with `within`.
const pollInterval = 50 * time.Millisecond

// Runner does scenarios against servers.
type Runner struct {
	// Servers are base URLs by name, such as "master": "http://127.0.0.1:5050".
	Servers map[string]string
	// Has lists what is there besides the servers, for the needs of scenarios.
	Has []string
	// Vars are values of names that scenarios may use; they win over a scenario's own.
	Vars map[string]string
	// Transport carries the requests; nil is a plain one.
	Transport http.RoundTripper
}

// Result of a step.
type Result struct {
	Step *Step
	// Problems are the differences, none when the step matched.
	Problems []string
	// Skipped says why the step was not done, or is empty.
	Skipped string
	// Got is what came back, in short, when there are problems.
	Got string
}

// Report of a scenario.
type Report struct {
	Scenario *Scenario
	// Skipped says why nothing was done, or is empty.
	Skipped string
	Results []Result
}

// Failed says whether a step had problems.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Results, func(result Result) bool { return len(result.Problems) > 0 })
}

// String tells what went wrong, step by step.
func (r *Report) String() string {
	var out strings.Builder
	if r.Skipped != "" {
		fmt.Fprintf(&out, "skipped: %s\n", r.Skipped)
	}
	for i, result := range r.Results {
		switch {
		case result.Skipped != "":
			fmt.Fprintf(&out, "step %d (%s) skipped: %s\n", i+1, result.Step.title(), result.Skipped)
		case len(result.Problems) > 0:
			fmt.Fprintf(&out, "step %d (%s):\n", i+1, result.Step.title())
			for _, problem := range result.Problems {
				fmt.Fprintf(&out, "    %s\n", strings.ReplaceAll(problem, "\n", "\n    "))
			}
			if result.Got != "" {
				fmt.Fprintf(&out, "    got: %s\n", strings.ReplaceAll(result.Got, "\n", "\n         "))
			}
		}
	}
	return out.String()
}

// Run does a scenario. Steps go on after one that failed, but those that need what it
// would have captured or opened are skipped.
func (r *Runner) Run(ctx context.Context, s *Scenario) *Report {
	report := &Report{Scenario: s}
	for _, need := range s.Needs {
		if !slices.Contains(r.Has, need) {
			report.Skipped = "needs " + need
			return report
		}
	}
	for _, step := range s.Steps {
		if step.Request != nil && r.Servers[step.Server] == "" {
			report.Skipped = "no address of the server " + step.Server
			return report
		}
	}
	run := &run{runner: r, vars: r.vars(s), streams: make(map[string]*stream)}
	defer run.closeStreams()
	for _, step := range s.Steps {
		result := Result{Step: step}
		run.step(ctx, step, &result)
		report.Results = append(report.Results, result)
	}
	return report
}

// vars are the values known at the start: the servers' addresses, a word that no
// run before had, the scenario's and ours.
func (r *Runner) vars(s *Scenario) match.Vars {
	vars := match.Vars{"run": strings.ToLower(rand.Text()[:8])}
	for name, base := range r.Servers {
		if u, err := url.Parse(base); err == nil {
			vars[name] = u.Host
			if host, port, err := net.SplitHostPort(u.Host); err == nil {
				vars[name+"_host"], vars[name+"_port"] = host, port
			}
		}
	}
	maps.Copy(vars, s.Vars)
	maps.Copy(vars, r.Vars)
	return vars
}

// run is one scenario under way.
type run struct {
	runner  *Runner
	vars    match.Vars
	streams map[string]*stream
}

func (r *run) closeStreams() {
	for _, s := range r.streams {
		s.close()
	}
}

func (r *run) step(ctx context.Context, step *Step, result *Result) {
	switch {
	case step.Close != "":
		s := r.streams[step.Close]
		if s == nil {
			result.Skipped = "the stream " + step.Close + " is not open"
			return
		}
		s.close()
		delete(r.streams, step.Close)
	case step.Request == nil:
		s := r.streams[step.Stream]
		if s == nil {
			result.Skipped = "the stream " + step.Stream + " is not open"
			return
		}
		r.read(ctx, step, s, result)
	case step.Within > 0 && step.Stream == "":
		r.poll(ctx, step, result)
	default:
		r.once(ctx, step, result)
	}
}

// poll repeats a step until it matches or its time is over.
func (r *run) poll(ctx context.Context, step *Step, result *Result) {
	ctx, cancel := context.WithTimeout(ctx, step.patience())
	defer cancel()
	for {
		*result = Result{Step: step}
		r.once(ctx, step, result)
		if len(result.Problems) == 0 {
			return
		}
		last := *result
		select {
		case <-ctx.Done():
			result.Problems = append([]string{fmt.Sprintf("not within %v; the last time:", step.patience())}, last.Problems...)
			return
		case <-time.After(pollInterval):
		}
	}
}

// once sends the request and compares what comes back.
func (r *run) once(ctx context.Context, step *Step, result *Result) {
	request, err := step.Request.build(ctx, r.runner.Servers[step.Server], r.vars)
	if err != nil {
		result.Skipped = err.Error()
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	opened := false
	defer func() {
		if !opened {
			cancel()
		}
	}()
	timer := time.AfterFunc(step.patience(), cancel)
	defer timer.Stop()
	response, err := r.runner.transport().RoundTrip(request.WithContext(ctx))
	if err != nil {
		result.Problems = []string{"no answer: " + err.Error()}
		return
	}
	vars := maps.Clone(r.vars)
	result.Problems = step.Expect.head(response, vars)
	if step.Stream == "" {
		r.body(step, response, vars, result)
		return
	}
	if len(result.Problems) > 0 {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
		response.Body.Close()
		result.Got = strings.TrimSpace(string(body))
		return
	}
	if old := r.streams[step.Stream]; old != nil {
		old.close()
	}
	timer.Stop()
	opened = true
	s := openStream(response.Body, step.Framing, cancel)
	r.streams[step.Stream] = s
	r.vars = vars
	r.read(ctx, step, s, result)
}

func (r *run) body(step *Step, response *http.Response, vars match.Vars, result *Result) {
	defer response.Body.Close()
	body, err := readBody(response)
	if err != nil {
		result.Problems = append(result.Problems, "the body: "+err.Error())
	}
	result.Problems = append(result.Problems, step.Expect.content(body, vars)...)
	if len(result.Problems) > 0 {
		result.Got = fmt.Sprintf("%s %s", response.Status, shortBody(body))
		return
	}
	r.vars = vars
}

// read takes the next records of a stream and compares them.
func (r *run) read(ctx context.Context, step *Step, s *stream, result *Result) {
	expect := step.Expect
	timeout := time.NewTimer(step.patience())
	defer timeout.Stop()
	var records []string
	for len(records) < expect.count {
		record, err := r.next(ctx, s, expect, timeout.C)
		if err != nil {
			result.Problems = append(result.Problems, fmt.Sprintf("record %d of %d: %v", len(records)+1, expect.count, err))
			break
		}
		records = append(records, record)
	}
	if len(records) == expect.count && expect.records != nil {
		vars := maps.Clone(r.vars)
		if answer, err := match.Parse("[" + strings.Join(records, ",") + "]"); err != nil {
			result.Problems = append(result.Problems, err.Error())
		} else {
			result.Problems = append(result.Problems, texts(expect.records.Match(answer, vars))...)
		}
		if len(result.Problems) == 0 {
			r.vars = vars
		}
	}
	if expect.End && len(result.Problems) == 0 {
		record, err := r.next(ctx, s, expect, timeout.C)
		if !errors.Is(err, io.EOF) {
			result.Problems = append(result.Problems, fmt.Sprintf("the stream should end, but: %s%v", record, errText(err)))
		}
	}
	if len(result.Problems) > 0 {
		result.Got = strings.Join(records, "\n")
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// next is the next record that is not to be ignored.
func (r *run) next(ctx context.Context, s *stream, expect *Expect, timeout <-chan time.Time) (string, error) {
	for {
		select {
		case record, ok := <-s.records:
			if !ok {
				if s.err != nil {
					return "", s.err
				}
				return "", io.EOF
			}
			answer, err := match.Parse(record)
			if err != nil {
				return "", fmt.Errorf("%w: %s", err, record)
			}
			ignored := slices.ContainsFunc(expect.ignore, func(p *match.JSON) bool {
				return len(p.Match(answer, maps.Clone(r.vars))) == 0
			})
			if !ignored {
				return record, nil
			}
		case <-timeout:
			return "", errors.New("it did not come in time")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (r *Runner) transport() http.RoundTripper {
	if r.Transport != nil {
		return r.Transport
	}
	return plainTransport
}

// plainTransport adds nothing to requests and does not unpack answers.
var plainTransport = &http.Transport{DisableCompression: true}
