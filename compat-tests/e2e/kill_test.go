package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stoa/compat-tests/cluster"
)

// Rounds of kill -9 while apps come, go and scale. After each round every acknowledged
// change stands, every task runs once, and nothing is left of what has ended.
// STOA_KILL_ROUNDS and STOA_KILL_SEED run more rounds, or others.
func TestKillNineAtAnyInstant(t *testing.T) {
	rounds, seed := number(t, "STOA_KILL_ROUNDS", 8), number(t, "STOA_KILL_SEED", 1)
	p := startPieces(t)
	k := &killer{pieces: p, random: rand.New(rand.NewPCG(uint64(seed), 0)), starts: filepath.Join(p.dir, "starts"), apps: map[string]*wanted{}}
	for round := range rounds {
		k.round(t, round)
		if t.Failed() {
			t.Fatalf("round %d of seed %d", round, seed)
		}
	}
	for name := range k.apps {
		send(t, 200, del, p.Marathon+"/v2/apps/"+name, "")
	}
	gone(t, p.dir)
	k.ranOnce(t)
}

func number(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// killer plays the operator who changes apps and the fate that kills processes.
type killer struct {
	*pieces
	random *rand.Rand
	// starts is the file to which every task writes its id when it begins.
	starts string
	apps   map[string]*wanted
	made   int
}

// wanted is how many instances an app may have. After a change that was not answered
// there are two possibilities; 0 with absent set is an app that may be gone.
type wanted struct {
	instances []int
	absent    bool
}

func (k *killer) round(t *testing.T, round int) {
	type change struct {
		name, method, url, body string
		then                    wanted
	}
	var changes []change
	add := func(name, method, path, body string, then wanted) {
		changes = append(changes, change{name, method, k.Marathon + "/v2/apps" + path, body, then})
	}
	for name, now := range k.apps {
		n := k.random.IntN(5)
		switch k.random.IntN(6) {
		case 0:
			add(name, del, "/"+name, "", wanted{absent: true})
		case 1:
			add(name, post, "/"+name+"/restart?force=true", "", *now)
		case 2, 3, 4:
			add(name, put, "/"+name+"?force=true", fmt.Sprintf(`{"instances":%d}`, n), wanted{instances: []int{n}})
		}
	}
	for range 1 + k.random.IntN(2) {
		k.made++
		name, n := fmt.Sprintf("app%d", k.made), 1+k.random.IntN(3)
		k.apps[name] = &wanted{absent: true}
		add(name, post, "", fmt.Sprintf(`{"id":%q,"cmd":"echo $MESOS_TASK_ID >> %s; exec sleep 1000","cpus":0.01,"mem":10,"instances":%d,
			"backoffSeconds":0,"taskKillGracePeriodSeconds":1}`, name, k.starts, n), wanted{instances: []int{n}})
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.name, b.name) })

	victim := k.random.IntN(4)
	instant := time.Duration(k.random.IntN(250)) * time.Millisecond
	killed := make(chan struct{})
	time.AfterFunc(instant, func() { defer close(killed); k.kill(t, victim) })
	for _, c := range changes {
		a, err := cluster.Do(t.Context(), c.method, c.url, c.body)
		switch now := k.apps[c.name]; {
		case err != nil:
			// Killed before it answered: both the old and the new are right.
			now.instances = append(now.instances, c.then.instances...)
			now.absent = now.absent || c.then.absent
		case a.Status/100 == 2:
			*now = c.then
		default:
			t.Errorf("round %d: %s %s: status %d: %s", round, c.method, c.url, a.Status, a.Body)
		}
	}
	<-killed
	k.revive(t, victim)
	until(t, fmt.Sprintf("the cluster is well after round %d (victim %d after %v)", round, victim, instant), func() error { return k.well(t.Context(), t) })
	k.ranOnce(t)
}

const (
	victimMaster = iota
	victimAgent
	victimMarathon
	victimExecutor
)

func (k *killer) kill(t *testing.T, victim int) {
	switch victim {
	case victimMaster:
		k.master.Kill()
	case victimAgent:
		k.agent.Kill()
	case victimMarathon:
		k.marathon.Kill()
	case victimExecutor:
		for _, pid := range processesWith(t, k.dir) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if strings.HasPrefix(string(line), "mesos-executor") {
				syscall.Kill(pid, syscall.SIGKILL)
				return
			}
		}
	}
}

func (k *killer) revive(t *testing.T, victim int) {
	switch victim {
	case victimMaster:
		k.startMaster(t)
	case victimAgent:
		k.startAgent(t)
	case victimMarathon:
		k.startMarathon(t)
	}
}

// well tells what is not as it has been acknowledged.
func (k *killer) well(ctx context.Context, t *testing.T) error {
	if err := k.Ready(ctx); err != nil {
		return err
	}
	listed, err := cluster.Get[struct{ Apps []cluster.App }](ctx, k.Marathon+"/v2/apps")
	if err != nil {
		return err
	}
	found := map[string]cluster.App{}
	total := 0
	for _, a := range listed.Apps {
		name := a.ID[1:]
		found[name] = a
		total += a.Instances
		switch w := k.apps[name]; {
		case w == nil || len(w.instances) == 0:
			t.Errorf("app %s is there, its end was acknowledged", name)
		case !slices.Contains(w.instances, a.Instances):
			t.Errorf("app %s has %d instances, acknowledged %v", name, a.Instances, w.instances)
		case a.TasksRunning != a.Instances || a.TasksStaged != 0 || len(a.Deployments) != 0:
			return fmt.Errorf("app %+v", a)
		}
	}
	for name, w := range k.apps {
		if _, ok := found[name]; !ok && !w.absent {
			t.Errorf("app %s was acknowledged and is lost", name)
		}
	}
	tasks, err := cluster.Get[struct{ Tasks []cluster.Task }](ctx, k.Marathon+"/v2/tasks")
	if err != nil {
		return err
	}
	ids := idsOf(tasks.Tasks)
	slices.Sort(ids)
	if len(ids) != total {
		return fmt.Errorf("%d tasks %v, want %d", len(ids), ids, total)
	}
	running, err := k.running(t)
	if err != nil {
		return err
	}
	if !slices.Equal(running, ids) {
		return fmt.Errorf("processes run for %v, tasks are %v", running, ids)
	}
	for _, base := range []string{k.Master, k.Agent} {
		if err := sameTasks(ctx, base, ids); err != nil {
			return err
		}
	}
	for name, w := range k.apps {
		if a, ok := found[name]; ok {
			*w = wanted{instances: []int{a.Instances}}
		} else {
			delete(k.apps, name)
		}
	}
	return nil
}

// running lists the ids of the tasks that have a process which sleeps, each as often as it has.
func (k *killer) running(t *testing.T) ([]string, error) {
	var ids []string
	executors := 0
	for _, pid := range processesWith(t, k.dir) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		switch env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); {
		case strings.HasPrefix(string(line), "mesos-executor"):
			executors++
		case strings.HasPrefix(string(line), "sleep"):
			for entry := range strings.SplitSeq(string(env), "\x00") {
				if id, ok := strings.CutPrefix(entry, "MESOS_TASK_ID="); ok {
					ids = append(ids, id)
				}
			}
		default:
			return nil, fmt.Errorf("process %d: %q", pid, line)
		}
	}
	if executors != len(ids) {
		return nil, fmt.Errorf("%d executors for %d tasks", executors, len(ids))
	}
	slices.Sort(ids)
	return ids, nil
}

// sameTasks is nil when the master or the agent lists exactly these tasks as running, all of whose
// updates, and of those before them, have been acknowledged: an agent keeps an executor until then.
func sameTasks(ctx context.Context, base string, ids []string) error {
	type task struct{ ID, State string }
	s, err := cluster.Get[struct {
		Frameworks []struct {
			Tasks, UnreachableTasks []task
			Executors               []struct {
				ID                 string
				Tasks, QueuedTasks []task
			}
		}
	}](ctx, base+"/state")
	if err != nil {
		return err
	}
	var listed []string
	for _, f := range s.Frameworks {
		for _, e := range f.Executors {
			f.Tasks = append(f.Tasks, e.Tasks...)
			if len(e.Tasks) != 1 {
				return fmt.Errorf("%s: executor %s has %d tasks", base, e.ID, len(e.Tasks))
			}
		}
		for _, t := range f.Tasks {
			if t.State != "TASK_RUNNING" {
				return fmt.Errorf("%s: task %s is %s", base, t.ID, t.State)
			}
			listed = append(listed, t.ID)
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, ids) {
		return fmt.Errorf("%s lists %v, Marathon %v", base, listed, ids)
	}
	return nil
}

// ranOnce checks that no task was started twice, even when its process has ended since.
func (k *killer) ranOnce(t *testing.T) {
	data, err := os.ReadFile(k.starts)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for id := range strings.Lines(string(data)) {
		if seen[id] {
			t.Errorf("task %s was started twice", strings.TrimSpace(id))
		}
		seen[id] = true
	}
}
