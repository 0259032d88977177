package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/sim"
)

// Apps says what Marathon is to run.
type Apps struct {
	Agents, Apps, Instances int
}

func (a Apps) String() string {
	return fmt.Sprintf("%d app(s) x %d instances on %d agents", a.Apps, a.Instances, a.Agents)
}

// MarathonLaunch measures the time from one POST of all apps to all instances running,
// then the latency of the large documents, memory, and the way back: all apps deleted.
func (e *Environment) MarathonLaunch(ctx context.Context, a Apps) (err error) {
	c, err := e.newCluster(ctx, sim.Options{Count: a.Agents, RegistrationBackoff: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	m, err := e.startMarathon(ctx, c.master.Address)
	if err != nil {
		return err
	}
	c.stops = append(c.stops, m.Stop)
	masterBefore, err := c.master.usage()
	if err != nil {
		return err
	}
	base := "http://" + m.Address
	n := a.Apps * a.Instances
	begin := time.Now()
	if err := post(ctx, base+"/v2/groups", group(a)); err != nil {
		return err
	}
	posted := time.Since(begin)
	wait, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := c.reach(wait, n); err != nil {
		return err
	}
	running := time.Since(begin)
	if err := deployed(wait, base); err != nil {
		return err
	}
	done := time.Since(begin)
	fmt.Fprintf(e.Out, "marathon: %s: POST answered after %v, all running after %v (%.0f/s), deployment done after %v\n",
		a, round(posted), round(running), float64(n)/running.Seconds(), round(done))
	if err := c.settled(ctx, n); err != nil {
		return err
	}
	if err := marathonTasks(ctx, base, a); err != nil {
		return err
	}
	used, err := m.usage()
	if err != nil {
		return err
	}
	masterAfter, err := c.master.usage()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "  processor time: marathon %v, master %v; memory of marathon %s\n", used.cpu, masterAfter.cpu-masterBefore.cpu, mega(used.resident))
	for _, path := range []string{"/v2/apps", "/v2/apps?embed=apps.tasks", "/v2/groups", "/v2/tasks"} {
		var times []time.Duration
		var size int64
		for range 10 {
			begin := time.Now()
			if size, err = fetch(ctx, base+path); err != nil {
				return err
			}
			times = append(times, time.Since(begin))
		}
		fmt.Fprintf(e.Out, "  GET %-26s %s, %s\n", path, mega(size), spread(times))
	}
	if used, err = m.usage(); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "  memory of marathon after these %s\n", mega(used.resident))
	begin = time.Now()
	answer, err := cluster.Do(ctx, http.MethodDelete, base+"/v2/groups/bench?force=true", "")
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("DELETE /v2/groups/bench: status %d: %.200s", answer.Status, answer.Body)
	}
	gone, cancelGone := context.WithTimeout(ctx, 5*time.Minute)
	defer cancelGone()
	if err := c.reach(gone, 0); err != nil {
		return err
	}
	if err := deployed(gone, base); err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "  all deleted after %v\n", round(time.Since(begin)))
	return c.settled(ctx, 0)
}

// reach waits until n tasks run on the agents, and no others are there.
func (c *loaded) reach(ctx context.Context, n int) error {
	return cluster.Until(ctx, func() error {
		if counts := c.agents.Counts(); counts.Running != n || counts.Tasks != n {
			return fmt.Errorf("want %d running tasks, have %+v", n, counts)
		}
		return nil
	})
}

// deployed waits until no deployment is under way.
func deployed(ctx context.Context, base string) error {
	return cluster.Until(ctx, func() error {
		list, err := cluster.Get[[]struct{ ID string }](ctx, base+"/v2/deployments")
		if err == nil && len(list) > 0 {
			err = fmt.Errorf("%d deployments are under way", len(list))
		}
		return err
	})
}

// marathonTasks checks that Marathon knows every instance, once and running.
func marathonTasks(ctx context.Context, base string, a Apps) error {
	v, err := cluster.Get[struct{ Tasks []cluster.Task }](ctx, base+"/v2/tasks")
	if err != nil {
		return err
	}
	ids := make(map[string]bool)
	apps := make(map[string]int)
	for _, t := range v.Tasks {
		if t.State != "TASK_RUNNING" || ids[t.ID] {
			return fmt.Errorf("/v2/tasks: %s is %s, or there twice", t.ID, t.State)
		}
		ids[t.ID] = true
		apps[t.AppID]++
	}
	for app, n := range apps {
		if n != a.Instances {
			return fmt.Errorf("/v2/tasks: %s has %d instances, not %d", app, n, a.Instances)
		}
	}
	if len(apps) != a.Apps {
		return fmt.Errorf("/v2/tasks has %d apps, not %d", len(apps), a.Apps)
	}
	return nil
}

// group is the group /bench with all apps.
func group(a Apps) string {
	var b bytes.Buffer
	b.WriteString(`{"id":"/bench","apps":[`)
	for i := range a.Apps {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"app-%05d","cmd":"sleep 1000","cpus":0.01,"mem":1,"disk":0,"instances":%d,`+
			`"env":{"A":"one","B":"two"},"labels":{"team":"bench"},"portDefinitions":[{"port":0,"protocol":"tcp","name":"http"}]}`, i, a.Instances)
	}
	b.WriteString("]}")
	return b.String()
}

func post(ctx context.Context, url, body string) error {
	a, err := cluster.Do(ctx, http.MethodPost, url, body)
	if err == nil && a.Status != http.StatusCreated {
		err = fmt.Errorf("POST %s: status %d: %.300s", url, a.Status, a.Body)
	}
	return err
}
