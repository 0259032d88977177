package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Answer is an HTTP answer with its body read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request. A body makes it JSON.
func Do(ctx context.Context, method, url, body string) (Answer, error) {
	var r io.Reader
	if body != "" {
		r = bytes.NewReader([]byte(body))
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return Answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, data}, err
}

// Get decodes the JSON answer of a GET; any status but 200 is an error.
func Get[T any](ctx context.Context, url string) (T, error) {
	var v T
	a, err := Do(ctx, http.MethodGet, url, "")
	if err != nil {
		return v, err
	}
	if a.Status != http.StatusOK {
		return v, fmt.Errorf("GET %s: status %d: %s", url, a.Status, oneLine(a.Body))
	}
	if err := json.Unmarshal(a.Body, &v); err != nil {
		return v, fmt.Errorf("GET %s: %w: %s", url, err, oneLine(a.Body))
	}
	return v, nil
}

// Task is what /v2/apps/{id}/tasks says of one task.
type Task struct {
	ID, Host, State, AppID, SlaveID, Version string
	Ports                                    []int
	HealthCheckResults                       []struct{ Alive bool }
}

// App is the part of /v2/apps/{id} that tells how the app is doing.
type App struct {
	ID                                                                 string
	Instances, TasksRunning, TasksStaged, TasksHealthy, TasksUnhealthy int
	Deployments                                                        []struct{ ID string }
	LastTaskFailure                                                    *struct{ State, Message, TaskID string }
	Version                                                            string
}

// Tasks lists the tasks of an app ("/basic1").
func (l *Local) Tasks(ctx context.Context, app string) ([]Task, error) {
	v, err := Get[struct{ Tasks []Task }](ctx, l.Marathon+"/v2/apps/"+app+"/tasks")
	return v.Tasks, err
}

// App reads an app with its counts and last failure.
func (l *Local) App(ctx context.Context, app string) (App, error) {
	v, err := Get[struct{ App App }](ctx, l.Marathon+"/v2/apps/"+app)
	return v.App, err
}

// Settled is nil once the app has n running tasks and no deployment.
func (l *Local) Settled(ctx context.Context, app string, n int) error {
	a, err := l.App(ctx, app)
	if err != nil {
		return err
	}
	if a.TasksRunning != n || a.TasksStaged != 0 || len(a.Deployments) != 0 {
		return fmt.Errorf("app %s: %d running, %d staged, %d deployments; want %d running (last failure %+v)",
			app, a.TasksRunning, a.TasksStaged, len(a.Deployments), n, a.LastTaskFailure)
	}
	return nil
}

// Ready is nil once the agent is registered and Marathon is subscribed.
func (l *Local) Ready(ctx context.Context) error {
	s, err := Get[struct {
		ActivatedAgents float64 `json:"activated_slaves"`
		Frameworks      []struct{ Active bool }
	}](ctx, l.Master+"/state")
	if err != nil {
		return err
	}
	if s.ActivatedAgents < 1 || len(s.Frameworks) == 0 || !s.Frameworks[0].Active {
		return fmt.Errorf("%v active agents, frameworks %+v", s.ActivatedAgents, s.Frameworks)
	}
	a, err := Do(ctx, http.MethodGet, l.Marathon+"/ping", "")
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("GET /ping: status %d", a.Status)
	}
	return err
}
